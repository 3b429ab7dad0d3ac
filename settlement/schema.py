"""The tables of settlement: who may act, the ledger, the lots and their papers, and the record of all of it.

Units: money fen, gold fine mg, weights as read from a scale in 0.01 g (``_cg``), fineness in parts per 100,000
(``_e5``), replicate results in parts per million (``_ppm``), times ms since the epoch (``_at``). Everything is BIGINT
with a CHECK; no float and no NUMERIC anywhere.

What a CHECK cannot say (postings sum to zero, histories are append-only) is said by triggers in the migrations.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from goldx.terms import FORMS

PERMISSIONS = ("trade", "operate", "settle", "supervise")
ACCOUNT_KINDS = ("member", "bank_escrow", "vault", "fee_income", "suspense")
"""Whose a ledger account is: a trading account, or one of the venue's own (``settlement.ledger`` says what each is)."""
ORIGINS = ("MINE", "RECYCLED_CONSUMER", "RECYCLED_TRADE", "MANUFACTURING", "INDUSTRIAL", "BANK")
"""Where the gold of a lot comes from (domain sheet 3.6)."""
LOT_STATES = (
    *("PRE_ADVISED", "ARRIVED", "WEIGHED", "SCREENED", "MELTED", "SAMPLED", "ASSAYED", "CERTIFIED", "REGISTERED"),
    *(
        "RECEIPTED",
        "ALLOCATED",
        "WITHDRAWN",
        "RELEASED",
        "CANCELLED",
        "CONSUMED",
        "QUARANTINED",
        "REJECTED",
        "RETURNED",
    ),
)
LOT_GONE = ("RELEASED", "RETURNED", "CANCELLED", "CONSUMED")
"""States of a lot that is not here any more, nor to come: its mark may be used again."""
RECEIPT_STATES = ("PROPOSED", "ISSUING", "LIVE", "CANCELLED", "VOID")
CASH_STATES = ("PROPOSED", "SENDING", "DONE", "DECLINED", "REFUSED")
LOAD_OUT_STATES = (
    *("APPLIED", "APPROVED", "SUCCESS", "SIGNED", "RELEASED", "CANCEL_PROPOSED", "CANCELLING", "CANCELLED"),
    *("EXPIRING", "EXPIRED", "REFUSED"),
)
LOAD_OUT_ORDERS = ("OWN_FIRST", "AGE")
LOAD_OUT_TYPES = ("SELF", "TRADE", "PARTIAL")
DECLARED_USES = ("INVESTMENT", "NON_INVESTMENT")
ENGINE_KINDS = (
    *("cash", "receipt", "receipt_cancel", "pledge", "pledge_release", "legal_hold", "legal_lift"),
    *("load_out", "load_out_cancel", "fee"),
)
"""What goes to the engine on behalf of a document; also the first half of its reference."""
PROPOSAL_KINDS = (
    *(*ENGINE_KINDS, "transfer", "pickup_code", "claim", "tariff"),
    *("acceptance", "provenance", "lot_lift", "lot_return"),
)
PROPOSAL_STATES = ("PROPOSED", "APPROVED", "DECLINED")
OUTBOX_STATES = ("PENDING", "SENDING", "SENT", "DONE", "REFUSED")
BREAK_STATES = ("OPEN", "EXPLAINED", "CORRECTED")
CUSTOMS = ("DOMESTIC", "BONDED")
FILE_KINDS = ("declared", "measured", "statement", "depository")
"""What a file was taken in as: a bar list's declared or measured columns, a warehouse's statement of its bars, a
depository's report of its totals."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _integer(name: str, *, null: bool = False, default: int | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=null, server_default=None if default is None else text(str(default)))


def _text(name: str, *, null: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=null, server_default=default)


def _number(name: str) -> Column[int]:
    """A primary key that the database counts."""
    return Column(name, BigInteger, Identity(always=True), primary_key=True)


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=f"{column}_known")


# Who may act.

member = Table(
    "member",
    metadata,
    Column("member", Text, primary_key=True),
    _text("name"),
    _text("name_zh", default=""),
    _integer("created_at"),
)

staff = Table(
    "staff",
    metadata,
    Column("staff", Text, primary_key=True),
    _text("name"),
    Column("permissions", ARRAY(Text), nullable=False),
    _integer("created_at"),
    CheckConstraint("permissions <@ ARRAY['operate', 'settle', 'supervise']", name="permissions_known"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False, unique=True),
    Column("member", Text, ForeignKey("member.member")),
    Column("staff", Text, ForeignKey("staff.staff")),
    Column("permissions", ARRAY(Text), nullable=False),
    _integer("created_at"),
    _integer("revoked_at", null=True),
    CheckConstraint("length(public_key) = 32", name="public_key_ed25519"),
    CheckConstraint("(member IS NULL) <> (staff IS NULL)", name="one_holder"),
    CheckConstraint(
        "permissions <@ CASE WHEN staff IS NULL THEN ARRAY['trade'] ELSE ARRAY['operate', 'settle', 'supervise'] END",
        name="permissions_fit_holder",
    ),
)

# What the exchange has said.

progress = Table(
    "progress",
    metadata,
    Column("shard", Text, primary_key=True),
    _integer("sequence"),
    _integer("at"),
    CheckConstraint("sequence >= 0", name="sequence_counts"),
)

trading_account = Table(
    "trading_account",
    metadata,
    Column("account", Text, primary_key=True),
    _text("member"),
    Column("kind", SmallInteger, nullable=False),
    _text("owner"),
)

instrument = Table(
    "instrument",
    metadata,
    Column("symbol", Text, primary_key=True),
    _text("name"),
    _text("name_zh"),
    _text("form"),
    _integer("min_fineness"),
    _integer("max_fineness"),
    _integer("reference_price", null=True),
    _integer("last_price", null=True),
)

engine_holding = Table(
    "engine_holding",
    metadata,
    Column("account", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    _integer("total"),
    _integer("reserved"),
    _integer("locked"),
    _integer("unwithdrawable"),
    _integer("sequence"),
)

trade = Table(
    "trade",
    metadata,
    Column("trade_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False, unique=True),
    _integer("at"),
    _text("symbol"),
    _integer("price"),
    _integer("quantity"),
    _integer("amount"),
    _text("buy_account"),
    _text("sell_account"),
    _integer("buy_fee"),
    _integer("sell_fee"),
    Column("taker_side", SmallInteger),
    CheckConstraint("price > 0 AND quantity > 0 AND amount > 0 AND buy_fee >= 0 AND sell_fee >= 0", name="positive"),
)

# The ledger.

ledger_account = Table(
    "ledger_account",
    metadata,
    _number("account_id"),
    _text("name"),
    _text("kind"),
    _text("asset"),
    _integer("balance", default=0),
    UniqueConstraint("kind", "name", "asset"),
    _one_of("kind", ACCOUNT_KINDS),
    CheckConstraint("kind NOT IN ('member', 'fee_income') OR balance >= 0", name="prepaid_never_negative"),
    CheckConstraint("kind NOT IN ('bank_escrow', 'vault') OR balance <= 0", name="assets_are_debits"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _text("kind"),
    _integer("at"),
    _text("reference", null=True),
    _one_of("kind", ("trade", *ENGINE_KINDS, "unidentified")),
)

posting = Table(
    "posting",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("line", SmallInteger, primary_key=True, autoincrement=False),
    _integer("account_id"),
    _integer("amount"),
    CheckConstraint("amount <> 0", name="not_zero"),
    Index("ix_posting_account_id_sequence", "account_id", "sequence"),
)

# What goes to the engine, and who agreed to it.

proposal = Table(
    "proposal",
    metadata,
    _number("proposal_id"),
    _text("kind"),
    Column("subjects", ARRAY(BigInteger), nullable=False),
    Column("summary", JSONB, nullable=False),
    _text("status"),
    Column("proposed_by", Text, ForeignKey("staff.staff"), nullable=False),
    _integer("proposed_at"),
    Column("decided_by", Text, ForeignKey("staff.staff")),
    _integer("decided_at", null=True),
    _one_of("kind", PROPOSAL_KINDS),
    _one_of("status", PROPOSAL_STATES),
    CheckConstraint("(status = 'PROPOSED') = (decided_by IS NULL)", name="decided_by_someone"),
    CheckConstraint("status <> 'APPROVED' OR decided_by <> proposed_by", name="two_people"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("number", BigInteger, Identity(always=True), nullable=False, unique=True),
    _text("kind"),
    Column("subject", BigInteger, nullable=False),
    Column("legs", JSONB, nullable=False),
    _text("by"),
    _text("status", default="PENDING"),
    _integer("created_at"),
    _text("writer", null=True),
    _integer("frame", null=True),
    _text("journal_end", null=True),
    _integer("sent_at", null=True),
    _integer("sequence", null=True),
    _text("reason", null=True),
    _one_of("kind", ENGINE_KINDS),
    _one_of("status", OUTBOX_STATES),
    Index("ix_outbox_waiting", "number", postgresql_where=text("status IN ('PENDING', 'SENDING')")),
)

cash_transfer = Table(
    "cash_transfer",
    metadata,
    _number("cash_id"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    _integer("amount"),
    Column("bank_reference", Text, nullable=False),
    _text("status"),
    _text("reason", null=True),
    _one_of("status", CASH_STATES),
    CheckConstraint("amount <> 0", name="not_zero"),
    Index(
        "uq_cash_transfer_bank_reference",
        "bank_reference",
        unique=True,
        postgresql_where=text("status IN ('PROPOSED', 'SENDING', 'DONE')"),
    ),
)

# Metal.

warehouse = Table(
    "warehouse",
    metadata,
    Column("warehouse", Text, primary_key=True),
    _text("name"),
    _text("city"),
    _text("customs"),
    _one_of("customs", CUSTOMS),
)

lot = Table(
    "lot",
    metadata,
    _number("lot_id"),
    _text("refiner"),
    _text("serial"),
    _integer("year", default=0),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    _text("form"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    _integer("declared_gross_cg"),
    _integer("declared_fineness_e5"),
    _text("state"),
    _text("held_state", null=True),
    _integer("gross_cg", null=True),
    _integer("melt_cg", null=True),
    _integer("fineness_e5", null=True),
    _integer("fine_mg", null=True),
    _integer("residue_1e7", null=True),
    _one_of("form", FORMS),
    _one_of("state", LOT_STATES),
    CheckConstraint("declared_gross_cg > 0 AND gross_cg > 0 AND melt_cg > 0 AND melt_cg <= gross_cg", name="weights"),
    CheckConstraint("fineness_e5 BETWEEN 1 AND 100000", name="fineness"),
    CheckConstraint(
        "fine_mg * 10000 + residue_1e7 = COALESCE(melt_cg, gross_cg) * fineness_e5 AND residue_1e7 BETWEEN 0 AND 9999",
        name="fine_is_weight_times_fineness",
    ),
    CheckConstraint(
        "(fine_mg IS NOT NULL) = (state IN ('CERTIFIED', 'REGISTERED', 'RECEIPTED', 'ALLOCATED', 'WITHDRAWN', "
        "'RELEASED')) OR state IN ('CONSUMED', 'QUARANTINED', 'REJECTED', 'RETURNED')",
        name="fine_once_certified",
    ),
    CheckConstraint("state <> 'QUARANTINED' OR held_state IS NOT NULL", name="held_from_somewhere"),
    Index(
        "uq_lot_refiner_serial_year",
        "refiner",
        "serial",
        "year",
        unique=True,
        postgresql_where=text("state NOT IN ('RELEASED', 'RETURNED', 'CANCELLED', 'CONSUMED')"),
    ),
    Index("ix_lot_symbol_warehouse_state", "symbol", "warehouse", "state", "lot_id"),
    Index("ix_lot_state_lot_id", "state", "lot_id"),
    Index("ix_lot_account_lot_id", "account", "lot_id"),
    Index("ix_lot_warehouse_lot_id", "warehouse", "lot_id"),
    Index("ix_lot_refiner_lot_id", "refiner", "lot_id"),
    Index("ix_lot_serial_lot_id", "serial", "lot_id", postgresql_ops={"serial": "text_pattern_ops"}),
)

custody_event = Table(
    "custody_event",
    metadata,
    _number("event_id"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    _text("step"),
    _text("state"),
    _integer("at"),
    _text("by"),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    Column("detail", JSONB, nullable=False),
    Index("ix_custody_event_lot_id", "lot_id", "event_id"),
    Index("ix_custody_event_at_event_id", "at", "event_id"),
    Index("ix_custody_event_warehouse_at", "warehouse", "at", "event_id"),
    Index("ix_custody_event_arrive", "at", "lot_id", postgresql_where=text("step = 'arrive'")),
)

assay = Table(
    "assay",
    metadata,
    _number("assay_id"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    _text("method"),
    _text("laboratory"),
    _text("standard", null=True),
    _integer("sample_no", null=True),
    Column("replicates_ppm", ARRAY(BigInteger), nullable=False),
    _integer("reported_e5"),
    _text("rule"),
    _integer("at"),
    _text("by"),
    _one_of("method", ("FIRE_ASSAY", "XRF")),
    CheckConstraint("(method = 'FIRE_ASSAY') = (sample_no IS NOT NULL AND standard IS NOT NULL)", name="of_a_sample"),
    CheckConstraint("reported_e5 BETWEEN 1 AND 100000", name="reported"),
    Index("ix_assay_lot_id", "lot_id"),
)

certificate = Table(
    "certificate",
    metadata,
    Column("certificate_no", BigInteger, primary_key=True, autoincrement=False),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False, unique=True),
    _text("content"),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("hash = sha256(convert_to(content, 'UTF8'))", name="hash_of_content"),
)

receipt = Table(
    "receipt",
    metadata,
    _number("receipt_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    _integer("fine_mg"),
    _text("status"),
    _text("reason", null=True),
    _one_of("status", RECEIPT_STATES),
    CheckConstraint("fine_mg > 0", name="fine"),
    Index(
        "uq_receipt_lot_id",
        "lot_id",
        unique=True,
        postgresql_where=text("status IN ('PROPOSED', 'ISSUING', 'LIVE')"),
    ),
)

load_out = Table(
    "load_out",
    metadata,
    _number("load_out_no"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    _integer("ask_mg"),
    _integer("allocated_mg"),
    _integer("price"),
    _text("price_source"),
    _integer("over_short_fen"),
    _text("lots_by"),
    _text("type"),
    _integer("own_mg"),
    _text("declared_use"),
    Column("from_day", Date, nullable=False),
    Column("until_day", Date, nullable=False),
    _text("collector"),
    _text("collector_id"),
    Column("code_salt", LargeBinary, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("id_hash", LargeBinary, nullable=False),
    Column("new_code_hash", LargeBinary),
    _integer("wrong_codes", default=0),
    _text("status"),
    _text("reason", null=True),
    _integer("applied_at"),
    _text("signed_by", null=True),
    _text("released_by", null=True),
    _integer("released_at", null=True),
    _one_of("status", LOAD_OUT_STATES),
    _one_of("lots_by", LOAD_OUT_ORDERS),
    _one_of("type", LOAD_OUT_TYPES),
    _one_of("declared_use", DECLARED_USES),
    CheckConstraint("ask_mg > 0 AND allocated_mg > 0 AND price > 0", name="positive"),
    CheckConstraint("own_mg BETWEEN 0 AND ask_mg", name="own_part"),
    CheckConstraint("from_day <= until_day", name="window"),
    CheckConstraint("wrong_codes >= 0", name="wrong_codes_count"),
    CheckConstraint("released_by <> signed_by", name="two_signatures"),
    CheckConstraint(
        "status <> 'RELEASED' OR signed_by IS NOT NULL AND released_by IS NOT NULL AND released_at IS NOT NULL",
        name="released_by_two",
    ),
    Index("ix_load_out_account_status", "account", "status"),
)

load_out_lot = Table(
    "load_out_lot",
    metadata,
    Column("load_out_no", BigInteger, ForeignKey("load_out.load_out_no"), primary_key=True),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), primary_key=True),
    Index("ix_load_out_lot_lot_id", "lot_id"),
)

# The record.

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("working", Boolean, nullable=False),
    _text("name"),
)

file = Table(
    "file",
    metadata,
    _number("file_no"),
    _text("kind"),
    _text("name"),
    Column("sha256", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    _integer("rows"),
    Column("result", JSONB, nullable=False),
    _integer("taken_at"),
    _text("taken_by"),
    _text("about", default=""),
    _one_of("kind", FILE_KINDS),
    CheckConstraint("sha256 = sha256(content)", name="hash_of_content"),
    UniqueConstraint("kind", "about", "sha256"),
)

recon_run = Table(
    "recon_run",
    metadata,
    _number("run_id"),
    _integer("at"),
    _integer("sequence"),
    _text("by"),
    _integer("checked"),
    _integer("breaks"),
    _text("scope", default="books"),
)

recon_break = Table(
    "recon_break",
    metadata,
    _number("break_id"),
    _text("kind"),
    _text("subject"),
    _text("asset"),
    _integer("expected"),
    _integer("found"),
    _text("owner"),
    _text("status"),
    _integer("opened_at"),
    _integer("closed_at", null=True),
    Column("first_run", BigInteger, ForeignKey("recon_run.run_id"), nullable=False),
    Column("last_run", BigInteger, ForeignKey("recon_run.run_id"), nullable=False),
    _text("explanation", null=True),
    _text("scope", default="books"),
    _text("unit", default="amount"),
    _text("note", default=""),
    _one_of("status", BREAK_STATES),
    Index(
        "uq_recon_break_kind_subject_asset",
        "kind",
        "subject",
        "asset",
        unique=True,
        postgresql_where=text("status <> 'CORRECTED'"),
    ),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _integer("at"),
    _text("actor"),
    _text("action"),
    _text("subject"),
    _text("detail"),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
