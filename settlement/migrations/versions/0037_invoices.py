"""Invoices of the venue's fees, and the buyers that they name"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def _check(name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(name))


def upgrade() -> None:
    op.create_table(
        "tax_profile",
        sa.Column("profile_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _text("member"),
        _text("title"),
        _text("tax_number"),
        _text("kind"),
        _text("period"),
        sa.Column("from_day", sa.Date(), nullable=False),
        _text("by"),
        _number("at"),
        _check("ck_tax_profile_kind_known", "kind IN ('ORDINARY', 'SPECIAL')"),
        _check("ck_tax_profile_period_known", "period IN ('DAY', 'MONTH')"),
        _check("ck_tax_profile_special_with_number", "kind <> 'SPECIAL' OR tax_number <> ''"),
        sa.ForeignKeyConstraint(["member"], ["member.member"], name=op.f("fk_tax_profile_member")),
        sa.PrimaryKeyConstraint("profile_no", name=op.f("pk_tax_profile")),
    )
    op.create_index("ix_tax_profile_member_profile_no", "tax_profile", ["member", "profile_no"])
    op.create_table(
        "invoice",
        _number("invoice_no"),
        sa.Column("day", sa.Date(), nullable=False),
        _text("member"),
        _text("kind"),
        _number("first_sequence"),
        _number("last_sequence"),
        _number("net_fen"),
        _number("tax_fen"),
        _number("total_fen"),
        _text("content"),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        _text("status"),
        _number("corrects", null=True),
        _number("replaces", null=True),
        _text("reason", null=True),
        sa.Column("again", sa.Boolean(), nullable=True),
        _text("correction_by", null=True),
        _text("corrected_by", null=True),
        _number("made_at"),
        _check("ck_invoice_kind_known", "kind IN ('ORDINARY', 'SPECIAL')"),
        _check("ck_invoice_status_known", "status IN ('ISSUED', 'CORRECTION_PROPOSED', 'CORRECTED', 'RED')"),
        _check("ck_invoice_hash_sha256", "length(hash) = 32"),
        _check("ck_invoice_sums", "net_fen + tax_fen = total_fen"),
        _check("ck_invoice_red_is_negative", "(total_fen < 0) = (corrects IS NOT NULL) AND total_fen <> 0"),
        _check("ck_invoice_red_corrects", "(status = 'RED') = (corrects IS NOT NULL)"),
        _check("ck_invoice_corrected_by_whom", "(status = 'CORRECTED') = (corrected_by IS NOT NULL)"),
        _check("ck_invoice_two_people", "corrected_by <> correction_by"),
        _check(
            "ck_invoice_corrected_why",
            "status <> 'CORRECTED' OR reason IS NOT NULL AND correction_by IS NOT NULL",
        ),
        sa.ForeignKeyConstraint(["corrects"], ["invoice.invoice_no"], name=op.f("fk_invoice_corrects")),
        sa.ForeignKeyConstraint(["replaces"], ["invoice.invoice_no"], name=op.f("fk_invoice_replaces")),
        sa.PrimaryKeyConstraint("invoice_no", name=op.f("pk_invoice")),
    )
    op.create_index("uq_invoice_corrects", "invoice", ["corrects"], unique=True)
    op.create_index("uq_invoice_replaces", "invoice", ["replaces"], unique=True)
    originals = sa.text("corrects IS NULL AND replaces IS NULL")
    op.create_index("uq_invoice_day_member", "invoice", ["day", "member"], unique=True, postgresql_where=originals)
    op.create_index("ix_invoice_member_invoice_no", "invoice", ["member", "invoice_no"])
    kept = "invoice_no, day, member, kind, first_sequence, last_sequence, net_fen, tax_fen, total_fen, content, hash"
    why = "'an invoice that was issued stays as it is'"
    op.execute(
        f"CREATE TRIGGER content_kept BEFORE UPDATE OF {kept}, corrects, replaces ON invoice FOR EACH STATEMENT "
        f"EXECUTE FUNCTION refuse_change({why})"
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON invoice FOR EACH STATEMENT "
        f"EXECUTE FUNCTION refuse_change({why})"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tax_profile FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
