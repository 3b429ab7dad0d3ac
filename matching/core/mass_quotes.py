"""Mass quotes: many bids and asks of an account, in many instruments and levels, by one command.

Each entry is about one level of one instrument, and is refused as a whole or takes effect as a whole, whatever becomes
of the others; but where a limit of the member or a claim refuses a side, the other one is cancelled or reduced as
asked. A side of a level is one DAY limit order. A side that is not mentioned stays as it is, a quantity of zero cancels
it, and the same price with the same or a lower quantity than is open keeps the order and its place. Anything else
cancels the order (REPLACED) and places a new one, which may use its money and gold.

First all entries are checked in their order, and what they replace or cancel leaves the book; then the new orders enter
in the same order. So a maker that moves all its prices meets none of its own old ones.
"""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol import terms
from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY, SELL
from matching.core import changes, claims, entry, fees, limit_checks, methods, phases, protection, regime
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.open_quotes import of_level, slot
from matching.core.orders import Order, Special
from matching.core.placing import accept, guard_refusal, price_refusal, quantity_refusal
from matching.core.state import State

KEEP: Final = 0
CANCEL: Final = 1
REDUCE: Final = 2
NEW: Final = 3


class _Side:
    """One side of an entry: the order that is there, and what is to be there."""

    __slots__ = ("action", "cost", "order", "price", "quantity", "side")

    def __init__(self, side: int, order: Order | None, price: int | None, quantity: int | None, group: str) -> None:
        self.side: int = side
        self.order: Order | None = order
        self.price: int = price or 0
        self.quantity: int = quantity or 0
        self.cost: int = 0
        """The amount that a new order reserves: fen for a bid, fine mg for an ask."""
        self.action: int = NEW
        if quantity is None:
            self.action = KEEP
        elif quantity == 0:
            self.action = CANCEL
        elif order is not None and _is_kept(order, self.price, quantity, group):
            self.action = KEEP if quantity == order.remaining else REDUCE

    def limit(self) -> int:
        """Return the price that the side will have, 0 if it will be empty."""
        if self.action in (NEW, REDUCE):
            return self.price
        return self.order.price if self.action == KEEP and self.order is not None else 0

    def freed(self) -> int:
        """Return what the order that is there gives back for a new one."""
        return 0 if self.order is None else self.order.reserved

    def more_orders(self) -> int:
        """Return how many more orders the side will have: 1, 0 or -1."""
        if self.action == NEW:
            return 1 if self.order is None else 0
        return -1 if self.action == CANCEL and self.order is not None else 0


def _is_kept(order: Order, price: int, quantity: int, group: str) -> bool:
    """Return whether the open order of a side keeps its place: at the same price, for no more than is open."""
    same_group = order.special is not None and order.special.group == group
    return same_group and order.price == price and quantity <= order.remaining


class _Level:
    """One entry: a level of an instrument with both its sides."""

    __slots__ = ("ask", "bid", "group", "instrument", "number")

    def __init__(self, instrument: Instrument, number: int, group: str, bid: _Side, ask: _Side) -> None:
        self.instrument: Instrument = instrument
        self.number: int = number
        self.group: str = group
        self.bid: _Side = bid
        self.ask: _Side = ask

    def changes(self) -> bool:
        """Return whether something is placed or reduced, which takes what an order takes."""
        return self.bid.action >= REDUCE or self.ask.action >= REDUCE

    def find_costs(self) -> None:
        """Set what the new orders reserve."""
        if self.bid.action == NEW:
            self.bid.cost = fees.cost(self.bid.price, self.bid.quantity, 0, self.instrument.highest_fee)
        if self.ask.action == NEW:
            self.ask.cost = self.ask.quantity


def set_quotes(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``quote.mass``. A refused entry has a ``command.rejected`` whose subject is ``SYMBOL/LEVEL``."""
    _, name, entries, given_group, session = command
    account = state.accounts.get(name)
    if account is None:
        return state.refuse(methods.QUOTE_MASS, "UNKNOWN_ACCOUNT", name, None)
    accepted: list[_Level] = []
    seen: set[tuple[str, int]] = set()
    for symbol, number, bid_price, bid_quantity, ask_price, ask_quantity in entries:
        subject = f"{symbol}/{number}"
        instrument = state.instruments.get(symbol)
        if instrument is None:
            state.refuse(methods.QUOTE_MASS, "UNKNOWN_SYMBOL", name, subject)
            continue
        group: str = given_group or symbol
        bid = _Side(BUY, of_level(state, account, symbol, number, BUY), bid_price, bid_quantity, group)
        ask = _Side(SELL, of_level(state, account, symbol, number, SELL), ask_price, ask_quantity, group)
        level = _Level(instrument, number, group, bid, ask)
        if (symbol, number) in seen:
            reason, detail = "BAD_VALUE", write_detail("level", "each level of an instrument once")
        else:
            reason, detail = _refusal(state, account, level)
        if reason:
            state.refuse(methods.QUOTE_MASS, reason, name, subject, detail)
            if reason in (limit_checks.REASON, claims.REASON):
                _make_smaller(state, account, level, session)
            continue
        seen.add((symbol, number))
        accepted.append(level)
        for side in (bid, ask):
            _make_room(state, account, level, side, session)
    for level in accepted:
        for side in (level.bid, level.ask):
            if side.action == NEW:
                _place(state, account, level, side, session)
    return None


def _refusal(state: State, account: Account, level: _Level) -> tuple[str, str]:
    """Return (reason, detail) why an entry may not take effect, or two empty texts. Changes nothing but the costs."""
    if not 1 <= level.number <= terms.MAX_QUOTE_LEVELS:
        return "BAD_VALUE", write_detail("level", f"from 1 to {terms.MAX_QUOTE_LEVELS}")
    if not level.changes():
        return "", ""
    if account.refusal:
        return account.refusal, ""
    if detail := regime.refuses(state, terms.MARKET_MAKING):
        return "REGIME", detail
    if protection.is_frozen(account.member, level.group):
        return protection.REASON, ""
    instrument = level.instrument
    if reason := phases.refusal(instrument, terms.LIMIT, terms.DAY, False):
        return reason, ""
    for side in (level.bid, level.ask):
        if side.action == NEW and (reason := price_refusal(instrument, side.price)):
            return reason, ""
    if level.bid.limit() and level.ask.limit() and level.bid.limit() >= level.ask.limit():
        return "BAD_PRICE", ""
    for side in (level.bid, level.ask):
        if side.action >= REDUCE and (reason := quantity_refusal(instrument, side.quantity)):
            return reason, ""
    for side in (level.bid, level.ask):
        if side.action == NEW and instrument.guarded:
            reason, detail = guard_refusal(state, instrument, account, side.side, side.price, side.quantity)
            if reason:
                return reason, detail
    if level.bid.action == NEW and (detail := claims.refuses(account)):
        return claims.REASON, detail
    level.find_costs()
    if detail := _limit_refusal(account, level):
        return limit_checks.REASON, detail
    return _refusal_of_funds(account, level), ""


def _limit_refusal(account: Account, level: _Level) -> str:
    """Return which limit of its member refuses the new orders of an entry, or an empty text."""
    if account.usage is None:
        return ""
    more = level.bid.more_orders() + level.ask.more_orders()
    for side in (level.bid, level.ask):
        if side.action == NEW:
            new = (side.side, side.price, side.quantity, side.cost)
            detail = limit_checks.refuses_quote(account, level.instrument, *new, side.order, more)
            if detail:
                return detail
    return ""


def _refusal_of_funds(account: Account, level: _Level) -> str:
    """Return the reason why the new orders of an entry cannot be paid for beforehand, or an empty text."""
    bid, ask = level.bid, level.ask
    if bid.action == NEW and bid.cost > account.cash.available() + bid.freed():
        return "INSUFFICIENT_CASH"
    if ask.action != NEW:
        return ""
    gold = account.balances.get(level.instrument.symbol)
    if gold is not None and ask.cost <= gold.available() + ask.freed():
        return ""
    locked = gold is not None and ask.cost <= gold.total - gold.reserved + ask.freed()
    return "RESALE_LOCKED" if locked else "INSUFFICIENT_GOLD"


def _make_smaller(state: State, account: Account, level: _Level, session: str) -> None:
    """Cancel or reduce the side of an entry for which that is asked, although the other side is refused.

    The limits of members and claims never stop what makes smaller what is open.
    """
    for side in (level.bid, level.ask):
        if side.action in (CANCEL, REDUCE):
            _make_room(state, account, level, side, session)


def _make_room(state: State, account: Account, level: _Level, side: _Side, session: str) -> None:
    """Cancel, reduce or keep the order of a side, and reserve what a new one needs.

    An order that stays belongs to the session that has asked for it last: it is cancelled with that one.
    """
    order = side.order
    if order is not None:
        if side.action == CANCEL:
            state.cancel(order, "USER")
        elif side.action == NEW:
            state.cancel(order, "REPLACED")
        elif side.action == REDUCE:
            changes.change(state, order, None, None, order.quantity - order.remaining + side.quantity)
            order.session = session
        elif side.quantity:
            order.session = session
    if side.action == NEW:
        balance = account.cash if side.side == BUY else account.balances[level.instrument.symbol]
        balance.reserve(side.cost)
        state.touched.append(balance)
        if account.usage is not None:
            account.usage.open(1)


def _place(state: State, account: Account, level: _Level, side: _Side, session: str) -> None:
    """Accept the new order of a side and let it enter, unless its group has reached a limit by this command."""
    symbol = level.instrument.symbol
    special = Special()
    special.quote_id = f"mass/{level.number}"
    special.group = level.group
    special.level = level.number
    number = state.last_order_id + 1
    balance = account.cash if side.side == BUY else account.balances[symbol]
    order = state.free_orders.pop() if state.free_orders else Order()
    order.reset(
        number,
        account,
        balance,
        f"mass/{number}",
        level.instrument,
        side.side,
        side.price,
        side.quantity,
        terms.DAY,
    )
    order.session = session
    order.reserved = side.cost
    order.special = special
    account.levels.setdefault(symbol, {})[slot(level.number, side.side)] = number
    if account.usage is not None:
        account.usage.open(-1)  # counted when its funds were reserved, and now as an open order
    accept(state, order, False)
    if protection.is_frozen(account.member, level.group):
        state.cancel(order, protection.REASON, level.group)
    else:
        entry.enter(state, order)
