"""Trading accounts: their members, holdings and orders, and the private channel of each.

An event makes at most one private message for an account, and the message is a function of the event and of
``OrderOwners``. So a message that a channel no longer keeps can be made again from the event stream, with the same
number.
"""

from array import array
from collections.abc import Iterator
from typing import Final, TypeAlias

from msgspec import to_builtins

from api.view.channels import Channel, Content
from api.view.orders import write_own_bust, write_own_trade
from api.view.records import Order, OwnTrade
from api.view.request_forms import keep_secrets
from api.view.tables import NameTable
from goldx.protocol import terms, units
from goldx.protocol.claim_events import AccountClaimChanged
from goldx.protocol.deal_events import DealAccepted, DealEnded, DealProposed
from goldx.protocol.events import (
    AccountOpened,
    AnyEvent,
    HoldingChanged,
    HoldingSettled,
    SelfTradePrevented,
    Trade,
    TradeBusted,
)
from goldx.protocol.limit_events import LimitsChanged, LimitsProposed
from goldx.protocol.rfq_events import RfqGraceEnded, RfqQuoted, RfqQuoteDone, RfqQuoteEnded
from goldx.protocol.wire import write_event

MARK_EVERY: Final = 256
"""Private messages between two marks of ``Account.marks``."""

OF_PROPOSER: Final = ("client_deal_id", "persist")
"""Fields of a deal that the other party does not see."""
OF_SETTLEMENT: Final = "lot_reservation"
"""The number under which settlement keeps named lots: neither party sees how many there were."""

PrivateMessage: TypeAlias = AnyEvent | OwnTrade
"""The value of a private message: an event, or a trade as its party sees it."""


class OrderOwners:
    """The account and side of every order there ever was, by order id, in four bytes each."""

    def __init__(self) -> None:
        self._numbers: array[int] = array("I")
        """By order id - 1: twice the number of the account, plus the side."""
        self._names: list[str] = []
        self._number_of: dict[str, int] = {}

    def add(self, order_id: int, account: str, side: int) -> None:
        """Add an accepted order. Order ids only grow."""
        number = self._number_of.get(account)
        if number is None:
            number = self._number_of[account] = len(self._names)
            self._names.append(account)
        missing = order_id - 1 - len(self._numbers)
        if missing:
            self._numbers.extend([0] * missing)
        self._numbers.append(number * 2 + side)

    def state(self) -> tuple[bytes, list[str]]:
        """Return everything, for ``restore``."""
        return self._numbers.tobytes(), self._names

    def restore(self, numbers: bytes, names: list[str]) -> None:
        """Restore what ``state`` returned, into an empty object."""
        self._numbers.frombytes(numbers)
        self._names = names
        self._number_of = {name: number for number, name in enumerate(names)}

    def account(self, order_id: int) -> str:
        return self._names[self._numbers[order_id - 1] // 2]

    def side(self, order_id: int) -> int:
        return self._numbers[order_id - 1] % 2


def private_messages(event: AnyEvent, owners: OrderOwners) -> Iterator[tuple[str, PrivateMessage]]:
    """Yield the accounts that an event concerns, each with its private message."""
    if isinstance(event, Trade | TradeBusted):
        buy, sell = own_trades(event, owners.side(event.maker_order_id) if event.maker_order_id else terms.BUY)
        yield event.buy_account, buy
        yield event.sell_account, sell
    elif isinstance(event, SelfTradePrevented):
        for account in dict.fromkeys((owners.account(event.maker_order_id), owners.account(event.taker_order_id))):
            yield account, event
    elif isinstance(event, DealProposed | DealAccepted | DealEnded):
        yield event.account, event
        yield event.counter_account, event
    elif isinstance(event, RfqQuoted | RfqQuoteEnded | RfqQuoteDone):
        yield event.account, event
        if isinstance(event, RfqQuoteDone) or not event.hidden:
            yield event.counter_account, event
    elif isinstance(event, HoldingSettled):
        for account in dict.fromkeys(leg.account for leg in event.legs):
            yield account, event
    elif isinstance(event, LimitsProposed | LimitsChanged):
        return  # session.limits shows them, also those of a member, which has no channel of its own
    elif account_of := getattr(event, "account", None):
        yield account_of, event


def own_trades(event: Trade | TradeBusted, maker_side: int) -> tuple[OwnTrade, OwnTrade]:
    """Return a trade, or its annulment, for its buyer and for its seller; without orders their numbers are 0."""
    buy, sell = event.maker_order_id, event.taker_order_id
    if maker_side == terms.SELL:
        buy, sell = sell, buy
    return OwnTrade(event, terms.BUY, buy), OwnTrade(event, terms.SELL, sell)


class Account:
    """One trading account. ``orders``: the orders of the view by client id; ``live``: the open ones by order id."""

    def __init__(self, opened: AccountOpened) -> None:
        self.name = opened.account
        self.member = opened.member
        self.kind = opened.kind
        self.owner = opened.owner
        self.holdings: dict[str, HoldingChanged] = {}
        self.owed = 0
        """The sum of the claims of the venue on it, in fen."""
        self.orders = NameTable[Order]()
        self.live: dict[int, Order] = {}
        self.channel = Channel(f"account.{self.name}", self._content)
        self.marks = [opened.sequence - 1]
        """Event sequences: the messages after the first ``i * MARK_EVERY`` come from events after ``marks[i]``."""

    def owe(self, event: AccountClaimChanged) -> None:
        """Note what the account owes from now on."""
        self.owed = event.owed

    def publish(self, message: PrivateMessage) -> None:
        """Publish the next private message."""
        channel = self.channel
        if channel.recording:
            channel.publish(message)
        else:
            channel.sequence += 1
        if channel.sequence % MARK_EVERY == 0:
            self.marks.append(message.sequence)

    def publish_trade(self, event: Trade, order: Order) -> None:
        """Publish a trade of one of the account's orders."""
        channel = self.channel
        if channel.recording:
            channel.publish(OwnTrade(event, order.side, order.order_id, order.client_order_id))
        else:
            channel.sequence += 1
        if channel.sequence % MARK_EVERY == 0:
            self.marks.append(event.sequence)

    def mark(self, sequence: int) -> tuple[int, int]:
        """Return where to read on for the messages after ``sequence``: (messages before there, event sequence)."""
        index = sequence // MARK_EVERY
        return index * MARK_EVERY, self.marks[index]

    def _content(self, message: PrivateMessage) -> Content:
        if isinstance(message, OwnTrade):
            event = message.event
            of_party = (message.side, message.order_id, message.client_order_id)
            if isinstance(event, TradeBusted):
                return Content(event.at, write_own_bust(event, *of_party))
            own = to_builtins(write_own_trade(event, *of_party))
            return Content(event.at, {"event": "trade", "sequence": message.sequence, **own})
        out = write_event(message)
        if isinstance(message, HoldingSettled):
            out["legs"] = [leg for leg in out["legs"] if leg["account"] == self.name]
        if isinstance(message, DealProposed | DealAccepted | DealEnded):
            out.pop(OF_SETTLEMENT, None)
            for name in () if message.account == self.name else OF_PROPOSER:
                out.pop(name, None)
        if isinstance(message, RfqQuoted | RfqQuoteEnded | RfqQuoteDone | RfqGraceEnded):
            keep_secrets(message, self.name, out)
        return Content(message.at, out)


def write_holding(holding: HoldingChanged, owed: int) -> dict[str, str]:
    """Return a holding in the protocol's form: total, reserved, available, withdrawable, and locked against resale.

    ``owed`` (fen) is what its account owes the venue. While it owes anything, none of its money is available to buy,
    neither money nor gold can be withdrawn, and the form of its money says how much it owes.
    """
    asset = holding.asset
    locked = holding.locked or 0
    available = holding.total - holding.reserved - locked
    withdrawable = holding.total - holding.reserved - (holding.unwithdrawable or 0)
    if asset != units.CASH:
        withdrawable = available
    parts = {"total": holding.total, "reserved": holding.reserved, "available": available, "locked": locked}
    parts["withdrawable"] = max(0, withdrawable)
    if owed:
        parts["withdrawable"] = 0
        if asset == units.CASH:
            parts |= {"available": 0, "owed": owed}
    return {part: units.format_amount(amount, asset) for part, amount in parts.items()}
