"""The tables of melts and of the files that were taken in.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from settlement.tables.columns import integer, metadata, number, one_of, string

melt = Table(
    "melt",
    metadata,
    number("melt_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("form"),
    string("scale"),
    integer("parents_mg"),
    integer("child_mg"),
    integer("loss_mg"),
    string("rule"),
    Column("alarms", ARRAY(Text), nullable=False),
    integer("fine_parents_mg", null=True),
    integer("fine_child_mg", null=True),
    integer("fine_loss_mg", null=True),
    string("explanation", null=True),
    string("explained_by", null=True),
    integer("at"),
    string("by"),
    CheckConstraint("parents_mg = child_mg + loss_mg AND loss_mg >= 0", name="weight_is_conserved"),
    CheckConstraint("fine_parents_mg = fine_child_mg + fine_loss_mg", name="gold_is_conserved"),
    CheckConstraint("explained_by <> by", name="explained_by_another"),
    Index("ix_melt_lot_id", "lot_id"),
    Index("ix_melt_form_at", "form", "at"),
)

melt_parent = Table(
    "melt_parent",
    metadata,
    Column("melt_no", BigInteger, ForeignKey("melt.melt_no"), primary_key=True),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), primary_key=True),
    integer("weight_mg"),
    integer("fine_mg", null=True),
    Index("uq_melt_parent_lot_id", "lot_id", unique=True),
)
FILE_KINDS = ("declared", "measured", "statement", "depository", "bank", "count")
"""The kinds of files: a bar list's declared or measured columns, a warehouse's statement of its bars, a depository's
report of its totals, a bank's statements, a counter's list or scan."""

file = Table(
    "file",
    metadata,
    number("file_no"),
    string("kind"),
    string("name"),
    Column("sha256", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    integer("rows"),
    Column("result", JSONB, nullable=False),
    integer("taken_at"),
    string("taken_by"),
    string("about", default=""),
    one_of("kind", FILE_KINDS),
    CheckConstraint("sha256 = sha256(content)", name="hash_of_content"),
    UniqueConstraint("kind", "about", "sha256"),
)
