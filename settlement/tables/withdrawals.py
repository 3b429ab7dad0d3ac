"""The tables of members' accounts at banks, of the withdrawals that members ask for, and of their limits.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, ForeignKey, Index, Table, Text, UniqueConstraint, text

from settlement.documents.banking import PAYEE_ACCOUNT, PAYEE_APPROVED, PAYEE_KNOWN, WITHDRAWAL, WITHDRAWAL_LIMIT
from settlement.tables.columns import folded, integer, is_in, metadata, number, one_of, string

payee_account = Table(
    "payee_account",
    metadata,
    number("payee_no"),
    Column("member", Text, ForeignKey("member.member"), nullable=False),
    string("name"),
    string("account_number"),
    string("bank"),
    string("status"),
    integer("usable_at", null=True),
    string("end_reason", null=True),
    one_of("status", PAYEE_ACCOUNT.states),
    CheckConstraint(f"({is_in('status', PAYEE_APPROVED)}) = (usable_at IS NOT NULL)", name="usable_once_approved"),
    CheckConstraint("(status = 'ENDED') = (end_reason IS NOT NULL)", name="ended_for_a_reason"),
    Index(
        "uq_payee_account_member_account_number",
        "member",
        text(folded("account_number")),
        unique=True,
        postgresql_where=text(is_in("status", PAYEE_KNOWN)),
    ),
)

withdrawal_limit = Table(
    "withdrawal_limit",
    metadata,
    number("limit_no"),
    Column("account", Text, ForeignKey("trading_account.account")),
    integer("per_payment_fen"),
    integer("per_day_fen"),
    integer("wait_hours"),
    string("status"),
    one_of("status", WITHDRAWAL_LIMIT.states),
    CheckConstraint("per_payment_fen >= 0 AND per_day_fen >= 0 AND wait_hours >= 0", name="not_negative"),
)

withdrawal = Table(
    "withdrawal",
    metadata,
    number("withdrawal_no"),
    Column("member", Text, ForeignKey("member.member"), nullable=False),
    string("client_ref"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    integer("amount_fen"),
    Column("payee_no", BigInteger, ForeignKey("payee_account.payee_no"), nullable=False),
    Column("day", Date, nullable=False),
    string("status"),
    string("reason", null=True),
    Column("cash_id", BigInteger, ForeignKey("payment_order.cash_id"), unique=True),
    Column("back_cash_id", BigInteger, ForeignKey("cash_transfer.cash_id"), unique=True),
    integer("asked_at"),
    string("asked_by"),
    one_of("status", WITHDRAWAL.states),
    UniqueConstraint("member", "client_ref"),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("status <> 'ACCEPTED' OR cash_id IS NOT NULL", name="accepted_as_money"),
    CheckConstraint(
        "back_cash_id IS NULL OR status = 'CANCELLED' AND cash_id IS NOT NULL", name="only_cancelled_comes_back"
    ),
    Index("ix_withdrawal_account_day", "account", "day"),
)
"""``day`` is the trading day on which it was asked for."""
