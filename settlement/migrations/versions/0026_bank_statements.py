"""Bank accounts, and the statements of banks entry by entry"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# A statement whose balances and entries disagree cannot be committed, whoever writes it.
ARITHMETIC = """
CREATE FUNCTION check_bank_statement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE moved numeric; counted bigint;
BEGIN
    SELECT coalesce(sum(amount_fen), 0), count(*) INTO moved, counted
    FROM bank_entry WHERE statement_no = NEW.statement_no;
    IF counted <> NEW.entries THEN
        RAISE EXCEPTION 'bank statement %: it has % entries, % are kept', NEW.statement_no, NEW.entries, counted;
    END IF;
    IF NEW.kind = 'BOOKED' AND NEW.opening_fen + moved <> NEW.closing_fen THEN
        RAISE EXCEPTION 'bank statement %: % and % do not make %',
            NEW.statement_no, NEW.opening_fen, moved, NEW.closing_fen;
    END IF;
    RETURN NULL;
END $$
"""
PARTS = """
CREATE FUNCTION check_bank_items() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong bigint;
BEGIN
    SELECT e.place INTO wrong FROM bank_entry e WHERE e.statement_no = NEW.statement_no AND e.amount_fen <> (
        SELECT coalesce(sum(i.amount_fen), 0) FROM bank_item i
        WHERE i.statement_no = e.statement_no AND i.place = e.place
    ) LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'bank statement %: the payments of entry % do not make its amount', NEW.statement_no, wrong;
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.drop_constraint(op.f("ck_file_kind_known"), "file", type_="check")
    op.create_check_constraint(
        op.f("ck_file_kind_known"), "file", "kind IN ('declared', 'measured', 'statement', 'depository', 'bank')"
    )
    op.create_table(
        "bank_account",
        sa.Column("account_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.CheckConstraint("currency = 'CNY'", name=op.f("ck_bank_account_currency_known")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_bank_account")),
    )
    op.create_index(
        "uq_bank_account_account_number", "bank_account", [sa.text("folded(account_number)")], unique=True
    )
    op.create_table(
        "bank_statement",
        sa.Column("statement_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("file_no", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stated_id", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("opening_fen", sa.BigInteger(), nullable=True),
        sa.Column("closing_fen", sa.BigInteger(), nullable=True),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("notes", postgresql.JSONB(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('BOOKED', 'REPORT', 'NOTICE')", name=op.f("ck_bank_statement_kind_known")),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_bank_statement_days_in_order")),
        sa.CheckConstraint(
            "kind <> 'BOOKED' OR opening_fen IS NOT NULL AND closing_fen IS NOT NULL",
            name=op.f("ck_bank_statement_balances"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["bank_account.account_id"], name=op.f("fk_bank_statement_account_id")),
        sa.ForeignKeyConstraint(["file_no"], ["file.file_no"], name=op.f("fk_bank_statement_file_no")),
        sa.PrimaryKeyConstraint("statement_no", name=op.f("pk_bank_statement")),
    )
    op.create_index(
        "ix_bank_statement_account_id_statement_no", "bank_statement", ["account_id", "statement_no"], unique=False
    )
    op.create_table(
        "bank_entry",
        sa.Column("statement_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("value_day", sa.Date(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_bank_entry_not_zero")),
        sa.ForeignKeyConstraint(
            ["statement_no"], ["bank_statement.statement_no"], name=op.f("fk_bank_entry_statement_no")
        ),
        sa.PrimaryKeyConstraint("statement_no", "place", name=op.f("pk_bank_entry")),
    )
    op.create_table(
        "bank_item",
        sa.Column("item_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("statement_no", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("virtual_account", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["statement_no", "place"],
            ["bank_entry.statement_no", "bank_entry.place"],
            name=op.f("fk_bank_item_statement_no_place"),
        ),
        sa.PrimaryKeyConstraint("item_no", name=op.f("pk_bank_item")),
        sa.UniqueConstraint("statement_no", "place", "part", name=op.f("uq_bank_item_statement_no_place_part")),
    )
    for function in (ARITHMETIC, PARTS):
        op.execute(function)
    for trigger, function in (("arithmetic", "check_bank_statement"), ("parts", "check_bank_items")):
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {trigger} AFTER INSERT ON bank_statement DEFERRABLE INITIALLY DEFERRED "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    for table in ("bank_account", "bank_statement", "bank_entry", "bank_item"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
