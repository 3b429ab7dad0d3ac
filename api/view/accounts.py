"""Trading accounts: whose they are, what they hold, their orders, and the private channel of each.

An event tells an account at most once, and what it tells is a function of the event and of ``OrderOwners``; so messages
that a channel no longer keeps can be made again from the event stream, with the same numbers.
"""

from array import array
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from msgspec.structs import asdict

from api.view.channels import Channel, Content
from api.view.orders import write_own_trade
from api.view.records import Order, OwnTrade
from api.view.tables import Named
from goldx.protocol import terms, units
from goldx.protocol.events import AccountOpened, AnyEvent, HoldingChanged, HoldingSettled, SelfTradePrevented, Trade
from goldx.protocol.wire import write_event

MARK_EVERY: Final = 256


Told: TypeAlias = AnyEvent | OwnTrade
"""What an account is told of an event."""


class OrderOwners:
    """Account and side of every order there ever was: four bytes each, by order id."""

    def __init__(self) -> None:
        self._numbers: array[int] = array("I")
        self._names: list[str] = []
        self._number_of: dict[str, int] = {}

    def add(self, order_id: int, account: str, side: int) -> None:
        """An order was accepted; order ids only grow."""
        number = self._number_of.get(account)
        if number is None:
            number = self._number_of[account] = len(self._names)
            self._names.append(account)
        missing = order_id - 1 - len(self._numbers)
        if missing:
            self._numbers.extend([0] * missing)
        self._numbers.append(number * 2 + side)

    def account(self, order_id: int) -> str:
        return self._names[self._numbers[order_id - 1] // 2]

    def side(self, order_id: int) -> int:
        return self._numbers[order_id - 1] % 2


def tell(event: AnyEvent, owners: OrderOwners) -> Iterator[tuple[str, Told]]:
    """Which accounts an event concerns, and what each is told of it."""
    if isinstance(event, Trade):
        buy, sell = both_sides(event, owners.side(event.maker_order_id))
        yield event.buy_account, buy
        yield event.sell_account, sell
    elif isinstance(event, SelfTradePrevented):
        for account in dict.fromkeys((owners.account(event.maker_order_id), owners.account(event.taker_order_id))):
            yield account, event
    elif isinstance(event, HoldingSettled):
        for account in dict.fromkeys(leg.account for leg in event.legs):
            yield account, event
    elif account_of := getattr(event, "account", None):
        yield account_of, event


def both_sides(event: Trade, maker_side: int) -> tuple[OwnTrade, OwnTrade]:
    """What the buyer and the seller are told of a trade."""
    buy, sell = event.maker_order_id, event.taker_order_id
    if maker_side == terms.SELL:
        buy, sell = sell, buy
    return OwnTrade(event, terms.BUY, buy), OwnTrade(event, terms.SELL, sell)


class Account:
    """One trading account. ``orders`` is by client id and holds today's, ``live`` by order id."""

    def __init__(self, opened: AccountOpened) -> None:
        self.name = opened.account
        self.member = opened.member
        self.kind = opened.kind
        self.owner = opened.owner
        self.holdings: dict[str, HoldingChanged] = {}
        self.orders = Named[Order]()
        self.live: dict[int, Order] = {}
        self.channel = Channel(f"account.{self.name}", self._content)
        self.marks = [opened.sequence - 1]
        """Event sequences: the messages after the first ``i * MARK_EVERY`` come from events after ``marks[i]``."""

    def publish(self, told: Told) -> None:
        """What an event tells the account."""
        channel = self.channel
        if channel.heard:
            channel.publish(told)
        else:
            channel.sequence += 1
        if channel.sequence % MARK_EVERY == 0:
            self.marks.append(told.sequence)

    def publish_trade(self, event: Trade, order: Order) -> None:
        """The same, of a trade of one of its orders."""
        channel = self.channel
        if channel.heard:
            channel.publish(OwnTrade(event, order.side, order.order_id))
        else:
            channel.sequence += 1
        if channel.sequence % MARK_EVERY == 0:
            self.marks.append(event.sequence)

    def mark(self, sequence: int) -> tuple[int, int]:
        """Where to read on for the messages after ``sequence``: (messages before there, event sequence)."""
        index = sequence // MARK_EVERY
        return index * MARK_EVERY, self.marks[index]

    def write_holdings(self) -> dict[str, Any]:
        """Cash and gold: total, reserved, available, withdrawable, and the part locked against resale."""
        return {asset: _write_holding(holding) for asset, holding in sorted(self.holdings.items())}

    def _content(self, told: Told) -> Content:
        if isinstance(told, OwnTrade):
            own = asdict(write_own_trade(told.event, told.side, told.order_id))
            return Content(told.event.at, {"event": "trade", "sequence": told.sequence, **own})
        out = write_event(told)
        if isinstance(told, HoldingSettled):
            out["legs"] = [leg for leg in out["legs"] if leg["account"] == self.name]
        return Content(told.at, out)


def _write_holding(holding: HoldingChanged) -> dict[str, str]:
    asset = holding.asset
    locked = holding.locked or 0
    available = holding.total - holding.reserved - locked
    withdrawable = holding.total - holding.reserved - (holding.unwithdrawable or 0)
    if asset != units.CASH:
        withdrawable = available
    parts = {"total": holding.total, "reserved": holding.reserved, "available": available, "locked": locked}
    parts["withdrawable"] = max(0, withdrawable)
    return {part: units.format_amount(amount, asset) for part, amount in parts.items()}
