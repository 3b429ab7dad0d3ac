"""The kinds of proposal, each once with all that depends on its kind.

All code that distinguishes kinds reads this table: who decides (``settlement.service.movements``), what the outbox may
send, what the ledger posts (``settlement.ledger.posting``), how own stock follows (``settlement.ledger.own_stock``),
and the database's CHECKs (``settlement.tables``). A new kind is a record here, a module that decides it, and a
migration of the CHECKs.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from settlement.documents.machine import CLERK, OPERATOR, Machine, Step

PROPOSAL: Final = Machine(
    "proposal",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "APPROVED", people=2, first="proposed_by"),
        "decline": Step(("PROPOSED",), "DECLINED"),
    },
)
PROPOSED: Final = PROPOSAL.steps["propose"].after
"""The proposal waits for its second person."""
APPROVED: Final = PROPOSAL.steps["approve"].after
DECLINED: Final = PROPOSAL.steps["decline"].after


class Net(Enum):
    """The direction in which a movement may change the sum of all holdings of an asset."""

    NOTHING = "nothing"
    IN = "in"
    OUT = "out"
    EITHER = "either"

    def allows(self, amount: int) -> bool:
        """Return whether a change by ``amount`` is of this kind."""
        if self is Net.EITHER or amount == 0:
            return True
        return self is (Net.IN if amount > 0 else Net.OUT)


class StockEffect(Enum):
    """How a movement changes own stock: the part of a holding that its owner deposited (domain sheet 2.1)."""

    STAYS = "stays"
    FOLLOWS = "follows"
    """By all that moves."""
    GIVES_PART = "gives part"
    """By the part that the load-out takes from own stock."""
    REGAINS_PART = "regains part"
    """By the part that the load-out had taken from own stock."""


class Movement(NamedTuple):
    """The holdings that a kind moves in the engine, and the ledger accounts that it is posted against."""

    cash: Net = Net.NOTHING
    gold: Net = Net.NOTHING
    cash_against: str = "bank_escrow"
    gold_against: str = "vault"
    is_deposit: bool = False
    """True if it adds what is new to the venue, False for what comes back and for corrections."""
    own_stock: StockEffect = StockEffect.STAYS


class Kind(NamedTuple):
    """One kind of proposal.

    ``decided_by``: the module, or the name in one (``module:name``), that acts on the decision; a string, since this
    folder imports none of those above it. ``table``: the table that the numbers in ``subjects`` are of.
    ``movement``: what goes to the engine on approval, if anything does. ``of``: the kind of these documents, if it is
    not the proposal's own. ``permission``: what whoever decides must hold; ``approve``: the command that approves.
    """

    decided_by: str
    table: str
    movement: Movement | None = None
    of: str = ""
    permission: str = CLERK
    approve: str = "goldx clerk approve"


KINDS: Final[Mapping[str, Kind]] = {
    "cash": Kind("settlement.ledger.cash", "cash_transfer", Movement(cash=Net.EITHER, is_deposit=True)),
    "receipt": Kind(
        "settlement.custody.receipts",
        "receipt",
        Movement(gold=Net.IN, own_stock=StockEffect.FOLLOWS, is_deposit=True),
    ),
    "receipt_cancel": Kind(
        "settlement.custody.receipt_cancels",
        "receipt",
        Movement(gold=Net.OUT, own_stock=StockEffect.FOLLOWS),
        of="receipt",
    ),
    "pledge": Kind("settlement.custody.encumbrances:PLEDGING", "encumbrance", Movement()),
    "pledge_release": Kind("settlement.custody.encumbrances:RELEASING_PLEDGE", "encumbrance", Movement(), of="pledge"),
    "legal_hold": Kind("settlement.custody.encumbrances:HOLDING", "encumbrance", Movement()),
    "legal_lift": Kind("settlement.custody.encumbrances:LIFTING", "encumbrance", Movement(), of="legal_hold"),
    "load_out": Kind(
        "settlement.load_outs.application", "load_out", Movement(gold=Net.OUT, own_stock=StockEffect.GIVES_PART)
    ),
    "load_out_cancel": Kind(
        "settlement.load_outs.cancels",
        "load_out",
        Movement(gold=Net.IN, own_stock=StockEffect.REGAINS_PART),
        of="load_out",
    ),
    "correction": Kind(
        "settlement.ledger.corrections",
        "correction",
        Movement(cash=Net.EITHER, gold=Net.EITHER, cash_against="suspense", gold_against="suspense"),
    ),
    "fee_payout": Kind("settlement.ledger.fee_payouts", "fee_payout", Movement(cash=Net.IN, cash_against="fee_income")),
    "fee": Kind("settlement.charges.bills", "fee_bill", Movement(cash=Net.OUT, cash_against="fee_income")),
    "transfer": Kind("settlement.custody.transfers", "transfer"),
    "pickup_code": Kind("settlement.load_outs.handing_over", "load_out", of="load_out"),
    "claim": Kind("settlement.load_outs.quality_claims", "claim"),
    "tariff": Kind("settlement.charges.tariff", "tariff"),
    "acceptance": Kind("settlement.lots.acceptance", "acceptance"),
    "provenance": Kind("settlement.lots.provenance", "provenance"),
    "lot_lift": Kind("settlement.intake.intake:Lift", "lot", of="lot"),
    "lot_return": Kind("settlement.intake.intake:Return", "lot", of="lot"),
    "weight_correction": Kind("settlement.intake.weight_corrections", "lot", of="lot"),
    "bank_tie": Kind("settlement.banking.ties", "bank_tie"),
    "bank_void": Kind("settlement.banking.voids", "bank_void"),
    "virtual_account_end": Kind("settlement.banking.virtual_accounts", "virtual_account_end"),
    "payee_account": Kind("settlement.banking.payees", "payee_account"),
    "withdrawal_limit": Kind("settlement.banking.withdrawal_limits", "withdrawal_limit"),
    "warehouse_key": Kind("settlement.reconciliation.warehouse_keys", "warehouse_key"),
    "inventory_count": Kind("settlement.reconciliation.count_sessions", "inventory_count"),
    "break_write_off": Kind("settlement.reconciliation.resolutions", "recon_break", of="break"),
    "day_difference": Kind(
        "settlement.closing.taking_over",
        "day_difference",
        permission=OPERATOR,
        approve="goldx day difference approve",
    ),
}
"""By the name that proposals, outbox, ledger entries and references have for it."""

DOCUMENTS: Final[Mapping[str, str]] = {name: kind.of or name for name, kind in KINDS.items()}
"""The kind of document that each kind of proposal is about (``settlement.documents.machines``)."""
MOVEMENTS: Final[Mapping[str, Movement]] = {name: kind.movement for name, kind in KINDS.items() if kind.movement}
"""The kinds that go to the engine; each name is also the first half of an outbox item's reference."""
_OF_GOLD: Final = {name: moved for name, moved in MOVEMENTS.items() if moved.gold is not Net.NOTHING}
LOAD_INS: Final = frozenset(name for name, moved in _OF_GOLD.items() if moved.is_deposit)
"""The kinds of proposal that bring new gold into a warehouse."""
LOAD_OUTS: Final = frozenset(
    name for name, moved in _OF_GOLD.items() if moved.gold_against == "vault" and not moved.is_deposit
)
"""The kinds of load-outs, of their cancellation, and of the cancellation of receipts."""

TRADE: Final = "trade"
TRADE_BUST: Final = "trade_bust"
"""Kind of the ledger entry that takes a trade back; its reference is ``trade:`` and the trade's id."""
UNIDENTIFIED: Final = "unidentified"
"""Kind of a ledger entry without a document of settlement."""
PAYMENT_CLAIM: Final = "payment_claim"
"""Kind of the ledger entry of a claim on an account that is made, changed or ended; its reference is the claim's."""
LEDGER_KINDS: Final = (TRADE, TRADE_BUST, *MOVEMENTS, UNIDENTIFIED, PAYMENT_CLAIM)
