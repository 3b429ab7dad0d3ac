"""One adapter per engine: it runs a flow and returns the time and the fills.

Messages are decoded before the clock starts. So the time is that of the engine and of what each of its callers has to
do: one call for each message (for ours, which takes several at once, one for a few), and for engines that return order
objects a dict from number to object. The clock is the processor time of the process, so that other work on the machine
counts as little as possible. Fills are (taker's number, maker's number, quantity, price), derived from the report of
each engine after the clock has stopped.
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

from benchmarks.matching.bare import ADD, CANCEL, KIND, NUMBER, REPLACE, BareBook
from benchmarks.matching.bound import Bookkeeping
from benchmarks.matching.flows import Flow, Message
from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import AnyEvent
from goldx.protocol.terms import BUY
from goldx.protocol.units import MG_PER_GRAM
from matching.core.engine import Engine
from matching.run.fold import COMMANDS_PER_BATCH, command_tuple

Fill = tuple[int, int, int, int]
Result = tuple[float, list[Fill]]
"""The seconds that the timed part took, and its fills."""
MEMBERS = 16
FRAME = 1_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Any, ...]]).decode


def goldx_full(flow: Flow) -> Result:
    """Do the whole job: checks, prepaid holdings, matching, events.

    Commands come several at a time, as the engine process takes them from its frames (``matching.run.fold``), and their
    events are dropped together, as it does when it has sent them; the fills are those of a first run that kept them.
    The peers have no call for more than one message.
    """
    engine, before, timed = prepare(flow)
    numbers: dict[int, int] = {}
    _fills_of_events([engine.apply(1, command) for command in before], numbers)
    fills = _fills_of_events([engine.apply(2, command) for command in timed], numbers)
    engine, before, timed = prepare(flow)
    engine.apply_all(1, before, [])
    return clocked(timed, partial(apply_some, engine)), fills


def apply_some(engine: Engine | Bookkeeping, commands: list[tuple[Any, ...]]) -> None:
    """Apply commands, some at a time."""
    for start in range(0, len(commands), COMMANDS_PER_BATCH):
        engine.apply_all(2, commands[start : start + COMMANDS_PER_BATCH], [])


def goldx_book(flow: Flow) -> Result:
    """Do the work of the book alone."""
    book = BareBook()
    book.apply_all(flow.before)
    book.fills.clear()
    return clocked(flow.timed, book.apply_all), book.fills


def bookkeeping(flow: Flow) -> Result:
    """Do the part of the whole job that has nothing to do with the book, without trades: a lower bound."""
    writer = _CommandWriter()
    before = [writer.write(message) for message in flow.before]
    timed = [writer.write(message) for message in flow.timed]
    books = Bookkeeping([f"A{name}" for name in range(MEMBERS)])
    books.apply_all(1, before, [])
    return clocked(timed, partial(apply_some, books)), []


def clocked(messages: Sequence[tuple[Any, ...]], run: Callable[[list[tuple[Any, ...]]], None]) -> float:
    """Return the seconds of processor time that ``run`` takes for the messages, frame by frame.

    Each frame is decoded before its clock starts, for every engine alike, as an engine has it that reads a journal.
    """
    frames = [_encode(messages[at : at + FRAME]) for at in range(0, len(messages), FRAME)]
    seconds = 0.0
    for frame in frames:
        decoded = _decode(frame)
        start = process_time()
        run(decoded)
        seconds += process_time() - start
    return seconds


def prepare(flow: Flow) -> tuple[Engine, list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return a core with rich accounts and the flow as its commands: those before, and those that are timed."""
    engine = Engine()
    for command in opening():
        engine.apply(0, command)
    writer = _CommandWriter()
    return engine, [writer.write(m) for m in flow.before], [writer.write(m) for m in flow.timed]


def opening() -> list[tuple[Any, ...]]:
    """Return the commands that open the market and make the accounts rich."""
    wanted: list[AnyCommand] = [commands.AccountOpen(f"A{name}", f"M{name}") for name in range(MEMBERS)]
    wanted += [commands.InstrumentDefine("AU"), commands.MarketSetPhase("AU", terms.CONTINUOUS)]
    for name in range(MEMBERS):
        for asset, amount in (("CNY", 10**16), ("AU", 10**14)):
            wanted.append(commands.HoldingAdjust(f"A{name}", asset, amount, f"{name}{asset}"))
    return [command_tuple(command) for command in wanted]


class _CommandWriter:
    """Turns messages into commands. Buys and sells have different accounts: other engines prevent no self-trades."""

    def __init__(self) -> None:
        self.accounts: dict[int, str] = {}

    def write(self, message: Message) -> tuple[Any, ...]:
        return command_tuple(self.command(message))

    def command(self, message: Message) -> AnyCommand:
        kind, number, *fields = message
        if kind == CANCEL:
            return commands.OrderCancel(self.accounts[number], None, f"c{number}")
        if kind == REPLACE:
            new, _, price, quantity, filled = fields
            account = self.accounts[new] = self.accounts[number]
            total = (quantity + filled) * MG_PER_GRAM
            return commands.OrderReplace(account, None, f"c{number}", f"c{new}", price, total)
        side, price, quantity = fields
        half = MEMBERS // 2
        account = self.accounts[number] = f"A{number % half + side * half}"
        return commands.OrderPlace(
            account, f"c{number}", "AU", side, terms.LIMIT, quantity * MG_PER_GRAM, price, session="s"
        )


def _fills_of_events(outcomes: list[list[tuple[Any, ...]]], numbers: dict[int, int]) -> list[Fill]:
    """Return the fills of the commands' events; ``numbers`` has the message's number of each order, and is added to."""
    fills = []
    for outcome in outcomes:
        for event in msgspec.convert(outcome, list[AnyEvent]):
            match event:
                case events.Trade():
                    taker, maker = numbers[event.taker_order_id], numbers[event.maker_order_id]
                    fills.append((taker, maker, event.quantity // MG_PER_GRAM, event.price))
                case events.OrderAccepted():
                    numbers[event.order_id] = int(event.client_order_id.removeprefix("c"))
                case events.OrderReplaced():
                    numbers[event.order_id] = int(event.new_client_order_id.removeprefix("c"))
    return fills


def liquibook(flow: Flow, listening: bool = True) -> Result:
    """Run the bindings to the C++ engine as their README does: with a listener that keeps accepts, cancels and fills.

    Without ``listening`` it is the bare C++ book behind the bindings, whose fills nobody learns of.
    """
    library = importlib.import_module("liquibook")
    reports: list[tuple[int, ...]] = []

    class Listener(library.OrderListener):  # type: ignore[misc, name-defined]
        def on_fill(self, order: Any, matched: Any, quantity: int, price: int) -> None:
            order.fill(quantity, price, 0)
            matched.fill(quantity, price, 0)
            reports.append((order.order_id_, matched.order_id_, quantity, price))

        def on_accept(self, order: Any) -> None:
            reports.append((order.order_id_,))

        def on_cancel(self, order: Any) -> None:
            reports.append((order.order_id_,))

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
            if message[KIND] == ADD:
                _, number, side, price, quantity = message
            else:
                cancel(orders.pop(message[NUMBER]))
                if message[KIND] == CANCEL:
                    continue
                _, _, number, side, price, quantity, _ = message
            orders[number] = order = place(side == BUY, price, quantity)
            add(order)

    run(flow.before)
    reports.clear()
    first = next(iter(orders.values())).order_id_ - next(iter(orders))
    seconds = clocked(flow.timed, run)
    fills = []
    for report in reports:
        if len(report) > 1:
            taker, maker, quantity, price = report
            fills.append((taker - first, maker - first, quantity, price))
    return seconds, fills


def lightmatchingengine(flow: Flow) -> Result:
    """Run lightmatchingengine, which reports each trade twice: the taker's side of a level, then each maker's."""
    engine = importlib.import_module("lightmatchingengine.lightmatchingengine").LightMatchingEngine()
    numbers: dict[int, int] = {}
    ours: dict[int, int] = {}
    found: list[tuple[int, list[Any]]] = []
    add, cancel = engine.add_order, engine.cancel_order

    def run(messages: list[Message]) -> None:
        for message in messages:
            if message[KIND] == ADD:
                _, number, side, price, quantity = message
            else:
                cancel(ours.pop(message[NUMBER]), "AU")
                if message[KIND] == CANCEL:
                    continue
                _, _, number, side, price, quantity, _ = message
            order, trades = add("AU", price, quantity, side + 1)
            ours[number] = order.order_id
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
    """Run pyorderbook, which has decimal prices and names orders by UUIDs."""
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
            if message[KIND] == ADD:
                _, number, side, price, quantity = message
            else:
                cancel(orders.pop(message[NUMBER]))
                if message[KIND] == CANCEL:
                    continue
                _, _, number, side, price, quantity, _ = message
            orders[number] = order = place(sides[side], "AU", price, quantity)
            numbers[order.id] = number
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
    """Run order-matching, whose orders are data classes with times; it is asked to match after each."""
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
            if message[KIND] == ADD:
                _, number, side, price, quantity = message
            else:
                engine.cancel_order(str(message[NUMBER]))
                if message[KIND] == CANCEL:
                    continue
                _, _, number, side, price, quantity, _ = message
            add(number, side, price, quantity)

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
