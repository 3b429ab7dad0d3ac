"""Numbers that people type are unique in their folded form"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# History: the same lists as in settlement/base/spelling.py when this was written; tests compare the two functions.
LETTERS = [code for code in range(0x80, 0x590) if len(chr(code).lower()) == 1 and chr(code).lower() != chr(code)]
APOSTROPHES = "\u2018\u2019\u02bc"
HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
INVISIBLE = "\u0085\u00ad\u1680\u200b\u200c\u200d\u2028\u2029\u2060\ufeff"
FROM = "".join(map(chr, LETTERS)) + APOSTROPHES + HYPHENS + INVISIBLE
INTO = "".join(chr(code).lower() for code in LETTERS) + "''" * len(APOSTROPHES) + "-" * len(HYPHENS)

FOLDED = rf"""
CREATE FUNCTION folded(typed text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF octet_length(typed) <> char_length(typed) THEN
        typed := translate(normalize(typed, NFKC), '{FROM}', '{INTO}');
    END IF;
    RETURN lower(ltrim(translate(typed, E' \t\n\x0b\f\r', ''), '''') COLLATE "C");
END $$;
"""

GONE = "state NOT IN ('CANCELLED', 'CONSUMED', 'RETURNED', 'RELEASED')"
UNIQUE = (
    ("api_key", ("key_id",), (), "uq_api_key_key_id", None),
    ("member", ("member",), (), "uq_member_member", None),
    ("staff", ("staff",), (), "uq_staff_staff", None),
    ("warehouse", ("warehouse",), (), "uq_warehouse_warehouse", None),
    ("scale", ("scale",), (), "uq_scale_scale", None),
    ("counter", ("counter",), (), "uq_counter_counter", None),
    ("laboratory", ("laboratory",), (), "uq_laboratory_laboratory", None),
    ("laboratory", ("accreditation_no",), (), "uq_laboratory_accreditation_no", None),
    ("lot", ("refiner", "serial"), ("year",), "uq_lot_refiner_serial_year", GONE),
    ("sample", ("seal",), (), "uq_sample_seal", None),
    (
        "cash_transfer",
        ("bank_reference",),
        (),
        "uq_cash_transfer_bank_reference",
        "status IN ('PROPOSED', 'SENDING', 'DONE')",
    ),
    ("encumbrance", ("document",), ("kind",), "uq_encumbrance_kind_document", "status NOT IN ('WITHDRAWN', 'REFUSED')"),
    ("counter_ticket", ("payment_reference",), (), "uq_counter_ticket_payment_reference", "method = 'TRANSFER'"),
)
REPLACED = (
    "DROP INDEX uq_lot_refiner_serial_year",
    "DROP INDEX ix_lot_refiner_lot_id",
    "DROP INDEX ix_lot_serial_lot_id",
    "ALTER TABLE sample DROP CONSTRAINT uq_sample_seal",
    "DROP INDEX uq_cash_transfer_bank_reference",
    "DROP INDEX uq_encumbrance_kind_document",
)


def _check(table: str, key: str, typed: tuple[str, ...], where: str | None) -> None:
    """Raise ValueError with the duplicates: a person has to decide which of the two is right."""
    shown = ", ".join(typed)
    query = f"SELECT array_agg(concat_ws(' ', {shown}))::text FROM {table} WHERE {where or 'true'}"
    if found := op.get_bind().execute(sa.text(f"{query} GROUP BY {key} HAVING count(*) > 1 LIMIT 10")).scalars().all():
        why = "two spellings of one number; end all but one of each with the previous version of the program"
        raise ValueError(f"{table} has {why}: {' '.join(found)}")


def upgrade() -> None:
    op.execute(FOLDED)
    for statement in REPLACED:
        op.execute(statement)
    for table, typed, exact, name, where in UNIQUE:
        folded = [f"folded({column})" for column in typed]
        # The order of the columns is that of settlement/tables: the document comes after its kind, the year at the end.
        columns = [*exact, *folded] if exact == ("kind",) else [*folded, *exact]
        _check(table, ", ".join(columns), typed, where)
        op.create_index(
            name, table, [sa.text(column) for column in columns], unique=True, postgresql_where=where and sa.text(where)
        )
    op.create_index("ix_lot_refiner_lot_id", "lot", [sa.text("folded(refiner)"), "lot_id"])
    op.create_index("ix_lot_serial_lot_id", "lot", [sa.text("folded(serial) text_pattern_ops"), "lot_id"])
