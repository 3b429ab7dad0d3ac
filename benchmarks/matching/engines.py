"""One adapter per engine: a flow in, its time and its fills out.

Messages are decoded before the clock starts, so that what is timed is the engine and what every caller of it has to do:
for each message one call (for ours, which takes several at once, a call for a few), and for engines that hand out order
objects a dict from number to object. The clock is the
process's own processor time, so that what else runs on the machine counts as little as it can. Fills are (taker's
number, maker's number, quantity, price), worked out of each engine's own report after the clock has stopped.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import process_time
from typing import Any

import msgspec

from benchmarks.matching.bare import ADD, CANCEL, REPLACE, BareBook
from benchmarks.matching.bound import Bookkeeping
from benchmarks.matching.flows import Flow, Message
from goldx.protocol import terms
from goldx.protocol.terms import BUY
from matching.core.engine import Engine
from matching.run.fold import COMMANDS_PER_BATCH

Fill = tuple[int, int, int, int]
Result = tuple[float, list[Fill]]
"""Seconds for the timed part, and the fills of all of it."""
MEMBERS = 16
FRAME = 1_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Any, ...]]).decode


def goldx_full(flow: Flow) -> Result:
    """The whole job: checks, prepaid holdings, matching, events. Commands come some at a time, as the engine process
    takes them from its frames (``matching.run.fold``), and their events are dropped together, as it does when it has
    sent
    them; the fills are those of a first run that kept them. The peers have no call for more than one message."""
    engine, before, timed = prepare(flow)
    numbers: dict[int, int] = {}
    _fills_of_events([engine.apply(1, command) for command in before], numbers)
    fills = _fills_of_events([engine.apply(2, command) for command in timed], numbers)
    engine, before, timed = prepare(flow)
    engine.apply_all(1, before, [])
    return clocked(timed, partial(apply_some, engine)), fills


def apply_some(engine: Engine | Bookkeeping, commands: list[tuple[Any, ...]]) -> None:
    """Applies commands, some at a time."""
    for start in range(0, len(commands), COMMANDS_PER_BATCH):
        engine.apply_all(2, commands[start : start + COMMANDS_PER_BATCH], [])


def goldx_book(flow: Flow) -> Result:
    """The book alone."""
    book = BareBook()
    book.apply_all(flow.before)
    book.fills.clear()
    return clocked(flow.timed, book.apply_all), book.fills


def bookkeeping(flow: Flow) -> Result:
    """What of the whole job has nothing to do with the book: a lower bound, without trades."""
    writer = _CommandWriter()
    before = [writer.write(message) for message in flow.before]
    timed = [writer.write(message) for message in flow.timed]
    books = Bookkeeping([f"A{name}" for name in range(MEMBERS)])
    books.apply_all(1, before, [])
    return clocked(timed, partial(apply_some, books)), []


def clocked(messages: Sequence[tuple[Any, ...]], run: Callable[[list[tuple[Any, ...]]], None]) -> float:
    """Seconds of processor time that ``run`` takes for the messages, frame by frame: each is decoded before its clock
    starts, as an engine has it before it when it comes from a journal, and every engine alike."""
    frames = [_encode(messages[at : at + FRAME]) for at in range(0, len(messages), FRAME)]
    seconds = 0.0
    for frame in frames:
        decoded = _decode(frame)
        start = process_time()
        run(decoded)
        seconds += process_time() - start
    return seconds


def prepare(flow: Flow) -> tuple[Engine, list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """A core with rich accounts, and the flow as its commands: those before, those that are timed."""
    engine = Engine()
    for name in range(MEMBERS):
        engine.apply(0, (9, f"A{name}", f"M{name}", terms.HOUSE, None, ""))
    engine.apply(0, (8, "AU"))
    engine.apply(0, (12, "AU", terms.CONTINUOUS, ""))
    for name in range(MEMBERS):
        for asset, amount in (("CNY", 10**16), ("AU", 10**14)):
            engine.apply(0, (10, f"A{name}", asset, amount, f"{name}{asset}", ""))
    writer = _CommandWriter()
    return engine, [writer.write(m) for m in flow.before], [writer.write(m) for m in flow.timed]


class _CommandWriter:
    """Messages as commands. Buys and sells come from different accounts: the other engines prevent no self-trades."""

    def __init__(self) -> None:
        self.accounts: dict[int, str] = {}

    def write(self, message: Message) -> tuple[Any, ...]:
        kind, number = message[:2]
        if kind == CANCEL:
            return 2, self.accounts[number], None, f"c{number}"
        if kind == REPLACE:
            _, _, new, _, price, quantity, filled = message
            account = self.accounts[new] = self.accounts[number]
            return 4, account, None, f"c{number}", f"c{new}", price, (quantity + filled) * 1_000
        _, _, side, price, quantity = message
        half = MEMBERS // 2
        account = self.accounts[number] = f"A{number % half + side * half}"
        return (
            *(1, account, f"c{number}", "AU", side, terms.LIMIT, quantity * 1_000, price, terms.GTC, None, False),
            *(None, None, terms.CANCEL_TAKER, False, "s"),
        )


def _fills_of_events(outcomes: list[list[tuple[Any, ...]]], numbers: dict[int, int]) -> list[Fill]:
    fills = []
    for events in outcomes:
        for event in events:
            if event[0] == 3:
                fills.append((numbers[event[9]], numbers[event[8]], event[6] // 1_000, event[5]))
            elif event[0] == 1:
                numbers[event[3]] = int(event[5][1:])
            elif event[0] == 5:
                numbers[event[3]] = int(event[6][1:])
    return fills


def liquibook(flow: Flow, listening: bool = True) -> Result:
    """Bindings to the C++ engine, used as its README does: a listener that keeps accepts, cancels and fills.

    Without ``listening`` nobody learns what happened: the bare C++ book behind the bindings.
    """
    library = importlib.import_module("liquibook")
    events: list[tuple[int, ...]] = []

    class Listener(library.OrderListener):  # type: ignore[misc, name-defined]
        def on_fill(self, order: Any, matched: Any, quantity: int, price: int) -> None:
            order.fill(quantity, price, 0)
            matched.fill(quantity, price, 0)
            events.append((order.order_id_, matched.order_id_, quantity, price))

        def on_accept(self, order: Any) -> None:
            events.append((order.order_id_,))

        def on_cancel(self, order: Any) -> None:
            events.append((order.order_id_,))

        def _never(self, *_: Any) -> None: ...

        on_reject = on_cancel_reject = on_replace = on_replace_reject = on_trigger_stop = _never

    listener = Listener()
    book = library.DepthOrderBook()
    if listening:
        book.set_order_listener(listener)
    orders: dict[int, Any] = {}
    place, add, cancel = library.SimpleOrder, book.add, book.cancel

    def run(messages: list[Message]) -> None:
        for message in messages:
            kind = message[0]
            if kind == ADD:
                orders[message[1]] = order = place(message[2] == BUY, message[3], message[4])
                add(order)
            elif kind == CANCEL:
                cancel(orders.pop(message[1]))
            else:
                cancel(orders.pop(message[1]))
                orders[message[2]] = order = place(message[3] == BUY, message[4], message[5])
                add(order)

    run(flow.before)
    events.clear()
    first = next(iter(orders.values())).order_id_ - next(iter(orders))
    seconds = clocked(flow.timed, run)
    return seconds, [(e[0] - first, e[1] - first, e[2], e[3]) for e in events if len(e) == 4]


def lightmatchingengine(flow: Flow) -> Result:
    """Its trades come in two: the taker's for the whole level, then the makers' one by one."""
    engine = importlib.import_module("lightmatchingengine.lightmatchingengine").LightMatchingEngine()
    numbers: dict[int, int] = {}
    ours: dict[int, int] = {}
    found: list[tuple[int, list[Any]]] = []
    add, cancel = engine.add_order, engine.cancel_order

    def run(messages: list[Message]) -> None:
        for message in messages:
            kind = message[0]
            if kind != ADD:
                cancel(ours.pop(message[1]), "AU")
            if kind == ADD:
                order, trades = add("AU", message[3], message[4], message[2] + 1)
                ours[message[1]] = order.order_id
                found.append((order.order_id, trades))
            elif kind == REPLACE:
                order, trades = add("AU", message[4], message[5], message[3] + 1)
                ours[message[2]] = order.order_id
                found.append((order.order_id, trades))

    run(flow.before)
    numbers = {theirs: number for number, theirs in ours.items()}
    found.clear()
    seconds = clocked(flow.timed, run)
    offset = next(iter(numbers)) - numbers[next(iter(numbers))]
    fills = [
        (taker - offset, trade.order_id - offset, trade.trade_qty, trade.trade_price)
        for taker, trades in found
        for trade in trades
        if trade.order_id != taker
    ]
    return seconds, fills


def pyorderbook(flow: Flow) -> Result:
    """Decimal prices, orders known by UUID."""
    library = importlib.import_module("pyorderbook")
    logging.getLogger("pyorderbook.book").setLevel(logging.ERROR)
    sides = (library.Side.BID, library.Side.ASK)
    book = library.Book()
    orders: dict[int, Any] = {}
    numbers: dict[Any, int] = {}
    found: list[Any] = []
    place, match, cancel = library.Order, book.match, book.cancel

    def run(messages: list[Message]) -> None:
        for message in messages:
            kind = message[0]
            if kind != ADD:
                cancel(orders.pop(message[1]))
            if kind == ADD:
                orders[message[1]] = order = place(sides[message[2]], "AU", message[3], message[4])
                numbers[order.id] = message[1]
                found.append(match(order))
            elif kind == REPLACE:
                orders[message[2]] = order = place(sides[message[3]], "AU", message[4], message[5])
                numbers[order.id] = message[2]
                found.append(match(order))

    run(flow.before)
    found.clear()
    seconds = clocked(flow.timed, run)
    fills = [
        (numbers[t.incoming_order_id], numbers[t.standing_order_id], t.fill_quantity, int(t.fill_price))
        for blotter in found
        for t in blotter.trades
    ]
    return seconds, fills


def order_matching(flow: Flow) -> Result:
    """Orders are data classes with times; the engine is told to match after each."""
    importlib.import_module("loguru").logger.disable("order_matching")
    engine = importlib.import_module("order_matching.matching_engine").MatchingEngine(seed=1)
    limit_order = importlib.import_module("order_matching.order").LimitOrder
    basket = importlib.import_module("order_matching.orders").Orders
    side_of = importlib.import_module("order_matching.enums").Side
    sides = (side_of.BUY, side_of.SELL)
    now = datetime(2026, 11, 24)  # noqa: DTZ001 : the package takes naive times
    found: list[Any] = []

    def add(number: int, side: int, price: int, quantity: int) -> None:
        nonlocal now
        now += timedelta(milliseconds=1)
        order = limit_order(
            side=sides[side], price=price, size=quantity, timestamp=now, order_id=str(number), trader_id="x"
        )
        engine.place(basket([order]))
        found.append(engine.match(now))

    def run(messages: list[Message]) -> None:
        for message in messages:
            if message[0] != ADD:
                engine.cancel_order(str(message[1]))
            if message[0] == ADD:
                add(message[1], message[2], message[3], message[4])
            elif message[0] == REPLACE:
                add(message[2], message[3], message[4], message[5])

    run(flow.before)
    found.clear()
    seconds = clocked(flow.timed, run)
    fills = [
        (int(t.incoming_order_id), int(t.book_order_id), int(t.size), int(t.price))
        for done in found
        for t in done.trades
    ]
    return seconds, fills


OURS: dict[str, Callable[[Flow], Result]] = {
    "goldx": goldx_book,
    "goldx full": goldx_full,
    "bookkeeping alone": bookkeeping,
}
PEERS: dict[str, Callable[[Flow], Result]] = {
    "liquibook": liquibook,
    "liquibook unheard": partial(liquibook, listening=False),
    "lightmatchingengine": lightmatchingengine,
    "pyorderbook": pyorderbook,
    "order-matching": order_matching,
}
ENGINES = {**OURS, **PEERS}
