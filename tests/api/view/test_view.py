"""The gateway's view: a subscriber that comes and goes reads the same messages as one that stays."""

import json
from collections import defaultdict
from collections.abc import Iterator
from random import Random, SystemRandom
from typing import Any
from zlib import crc32

import msgspec
import pytest

from api.view.accounts import private_messages
from api.view.channels import KEPT, Channel, Content
from api.view.orders import write_order, write_trades
from api.view.records import Gap
from api.view.view import View
from goldx.client.local_book import LocalBook
from goldx.protocol import units
from goldx.protocol.events import AnyEvent, Trade, TradeBusted
from goldx.protocol.wire import CODECS
from goldx.streams.frames import EventFrame
from matching.core.engine import Engine
from tests.api.view.forms import holdings_of
from tests.matching.core.dice import SeededDice
from tests.matching.core.driving import apply
from tests.matching.core.flows import Flow

SEEDS = [SystemRandom().randrange(1 << 32) for _ in range(3)]
EACH_SEED = [
    pytest.param(seed, id=name, marks=() if name == "first" else pytest.mark.campaign)
    for name, seed in zip(("first", "second", "third"), SEEDS, strict=True)
]
"""Names of the tests, which are the same in each process of pytest-xdist."""

EXTRAS = {"post_only", "persist", "expire_at", "display_quantity", "stop_price", "quote_id"}


class Reader:
    """A subscriber that keeps what it is sent: the numbered messages, and the notices beside them."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []

    def send(self, data: bytes) -> None:
        message = json.loads(data)["params"]
        (self.notices if message["type"] == "notice" else self.messages).append(message)


def frames(seed: int, steps: int, flow: type[Flow] = Flow) -> Iterator[tuple[EventFrame, list[AnyEvent]]]:
    """Yield the events of a random flow of commands from the matching core, one command in a frame."""
    engine = Engine()
    for number, (at, command) in enumerate(flow(SeededDice(Random(seed))).steps(steps), 1):
        events = apply(engine, at, command)
        yield EventFrame((at, number), (tuple(events),)), events


def none_waiting(*_: Any) -> tuple[()]:
    return ()


@pytest.mark.parametrize("seed", EACH_SEED)
def test_a_resumed_subscription_misses_no_message(seed: int) -> None:
    print(f"SEED={seed}")
    random = Random(seed)
    always, sometimes = View(), View()
    readers: dict[str, Reader] = {}
    visits: dict[str, tuple[Channel, Reader]] = {}
    read = 0
    for frame, _ in frames(seed, 3_000):
        always.apply(frame, none_waiting)
        sometimes.apply(frame, none_waiting)
        for name in always.channels.keys() - readers.keys():
            readers[name] = Reader()
            always.channels[name].subscribe(readers[name], 0)
        name = random.choice(list(readers)) if readers else ""
        if name in visits and random.random() < 0.5:
            channel, reader = visits.pop(name)
            channel.unsubscribe(reader)
            read += len(reader.messages)
        elif name and name not in visits and random.random() < 0.2:
            channel, reader = sometimes.channels[name], Reader()
            start = random.choice((None, max(0, channel.sequence - random.randrange(40)), 0))
            channel.subscribe(reader, start)
            visits[name] = (channel, reader)
            check(always.channels[name], channel, reader, start)
        for name, (_, reader) in visits.items():
            expected = readers[name].messages[-1:]
            updates = [message for message in reader.messages if message["type"] == "update"]
            assert not updates or updates[-1:] == expected
    assert read > 1_000
    for name, reader in readers.items():
        if name.startswith(("book.", "orders_book.")) and reader.messages:
            assert_checksums(name, reader.messages, always)


def test_a_channel_without_snapshots_says_how_many_messages_it_no_longer_keeps() -> None:
    channel = Channel("trades.X", lambda number: Content(number, {"number": number}))
    channel.begin_epoch("1-0", 1)
    for number in range(1, KEPT + 6):
        channel.publish(number)
    reader = Reader()
    channel.subscribe(reader, 2)
    gap, *kept = reader.messages
    assert (gap["type"], gap["previous"], gap["sequence"], gap["data"]) == ("gap", 2, 5, {"missed": 3})
    assert [message["data"]["number"] for message in kept] == list(range(6, KEPT + 6))
    assert kept[0]["previous"] == gap["sequence"]


def check(original: Channel, channel: Channel, reader: Reader, start: int | None) -> None:
    """Check the messages that a subscriber gets at once: those that it missed, or a snapshot."""
    assert channel.sequence == original.sequence
    if start is not None and start >= channel.oldest - 1:
        missed = [json.loads(data)["params"] for data in original.after(start)]
        assert reader.messages == missed
        assert [notice["data"]["trouble"] for notice in reader.notices] == [None] * channel.name.startswith("status.")
        assert [message["sequence"] for message in missed] == list(range(start + 1, channel.sequence + 1))
    elif start is not None and not channel.has_snapshots:
        gap, *kept = reader.messages
        last = channel.oldest - 1
        assert (gap["type"], gap["previous"], gap["sequence"]) == ("gap", start, last)
        assert gap["data"] == {"missed": last - start}
        assert kept == [json.loads(data)["params"] for data in original.after(last)]
    else:
        snapshot = Reader()
        original.subscribe(snapshot, None)
        original.unsubscribe(snapshot)
        assert reader.messages == snapshot.messages


def assert_checksums(name: str, messages: list[dict[str, Any]], view: View) -> None:
    """Check each checksum against the book kept from the messages, and the last book against the view."""
    kind, _, symbol = name.partition(".")
    if kind == "book":
        market = LocalBook({"symbol": symbol, "name": "", "name_zh": "", "phase": "closed"})
        for message in messages:
            market.apply(message)  # raises WrongBook
        depth = view.markets[symbol].depth(None)
        assert depth["checksum"] == messages[-1]["checksum"]
        return
    orders: dict[int, tuple[Any, ...]] = {}
    for message in messages:
        for side, rows in message["data"].items():
            for order_id, price, quantity, rank in rows:
                orders[order_id] = (order_id, side, price, quantity, rank)
                if quantity == "0":
                    del orders[order_id]
        checksum = 0
        for order_id, side, price, quantity, rank in orders.values():
            word = "buy" if side == "bids" else "sell"
            checksum ^= crc32(f"{order_id}:{word}:{price}:{quantity}:{rank}".encode())
        assert message["checksum"] == checksum, message


def state(view: View) -> dict[str, Any]:
    """Return books, orders and holdings of a view, without the numbers of messages."""
    return {
        "books": [market.depth(None) | {"sequence": None} for market in view.markets.values()],
        "resting": [market.book.resting() for market in view.markets.values()],
        "orders": [write_order(order) for order in view.orders.values()],
        "live": {name: list(account.live) for name, account in view.accounts.items()},
        "holdings": {name: holdings_of(account) for name, account in view.accounts.items()},
        "at": (view.sequence, view.position, view.at, view.previous),
    }


@pytest.mark.parametrize("seed", EACH_SEED)
def test_a_view_that_is_folded_in_parts_is_whole_after_each(seed: int) -> None:
    """Also where the smallest parts are taken: no order is in a book before its trades."""
    print(f"SEED={seed}")
    whole, parted = View(), View(part_events=1)
    readers: dict[str, Reader] = {}
    for frame, _ in frames(seed, 2_000):
        whole.apply(frame, none_waiting)
        for _ in parted.parts(frame, none_waiting):
            for name in parted.channels.keys() - readers.keys():
                if "book." in name:
                    readers[name] = Reader()
                    parted.channels[name].subscribe(readers[name], None)
        assert state(parted) == state(whole)
    for name, reader in readers.items():
        assert_checksums(name, reader.messages, parted)
    assert any(parted.channels[name].sequence > whole.channels[name].sequence for name in readers)


def fields(record: Any, *names: str) -> dict[str, Any]:
    """Return fields as the table of codecs writes them."""
    return {name: CODECS[name].write(getattr(record, name)) for name in names}


@pytest.mark.parametrize("seed", EACH_SEED)
def test_an_order_is_written_as_the_codecs_write_its_fields(seed: int) -> None:
    print(f"SEED={seed}")
    view = View()
    plain = traded = 0
    trades_of: dict[int, list[Trade]] = defaultdict(list)
    busted: set[int] = set()
    for number, (frame, happened) in enumerate(frames(seed, 1_500)):
        view.apply(frame, none_waiting)
        for event in happened:
            if isinstance(event, Trade) and event.kind is None:
                trades_of[event.maker_order_id].append(event)
                trades_of[event.taker_order_id].append(event)
            elif isinstance(event, TradeBusted):
                busted.add(event.trade_id)
        if number % 50:
            continue
        trades = {trade.trade_id for order_id, _ in view.orders.items() for trade in trades_of[order_id]}
        assert {trade_id for trade_id, fill in view.fills.items() if fill.trade.kind is None} <= trades
        for order in view.orders.values():
            names = ("order_id", "account", "client_order_id", "symbol", "side", "type", "quantity", "remaining")
            wanted = fields(order, *names, "amount", "time_in_force", "stp")
            wanted["price"] = None if order.price is None else units.format_price(order.price)
            wanted |= {"filled": units.format_weight(order.filled), "fee": units.format_money(order.fee)}
            wanted |= {"status": order.status, "at": order.at}
            given = {name for name in EXTRAS if getattr(order, name) not in (None, False)}
            wanted |= fields(order, *given)
            if order.reason is not None:
                wanted["reason"] = order.reason
            assert json.loads(msgspec.json.encode(write_order(order))) == wanted
            plain += not given
            shown = json.loads(msgspec.json.encode(write_trades(order, view.fills)))
            for trade, own in zip(trades_of[order.order_id], shown, strict=True):
                maker = order.order_id == trade.maker_order_id
                fee = trade.sell_fee if order.side else trade.buy_fee
                remaining = trade.maker_remaining if maker else trade.taker_remaining
                liquidity = "taker" if trade.taker_side == order.side else "maker"
                assert own == {
                    **fields(trade, "trade_id", "symbol", "price", "quantity", "amount"),
                    **fields(order, "order_id", "side", "account", "client_order_id"),
                    "at": trade.at,
                    "fee": units.format_money(fee),
                    "remaining": units.format_weight(remaining),
                    "liquidity": "auction" if trade.taker_side is None else liquidity,
                    "kind": "auction" if trade.taker_side is None else "book",
                    **({"busted": True} if trade.trade_id in busted else {}),
                }
            traded += len(shown)
    assert plain > 10
    assert traded > 10


@pytest.mark.parametrize("seed", EACH_SEED)
def test_private_channels_have_the_messages_of_private_messages(seed: int) -> None:
    """So messages that a channel no longer keeps can be made again from the event stream."""
    print(f"SEED={seed}")
    view = View()
    readers: dict[str, Reader] = {}
    made: dict[str, list[dict[str, Any]]] = {}
    for frame, events in frames(seed, 2_000):
        view.apply(frame, none_waiting)
        for name in view.accounts.keys() - readers.keys():
            readers[name] = Reader()
            channel = view.accounts[name].channel
            channel.subscribe(readers[name], 0)
            made[name] = []
        for event in events:
            for name, value in private_messages(event, view.owners):
                if name in view.accounts:
                    sequence = len(made[name]) + 1
                    made[name].append(
                        json.loads(view.accounts[name].channel.render(sequence, view.named(value)))["params"]
                    )
    assert sum(map(len, made.values())) > 1_000
    assert {name: reader.messages for name, reader in readers.items()} == made


def test_a_channel_keeps_its_newest_messages_and_writes_each_once_for_all_later_readers() -> None:
    written: list[int] = []

    def write(value: int) -> Content:
        written.append(value)
        return Content(1, value)

    channel = Channel("top.X", write)
    for value in range(KEPT + 10):
        channel.publish(value)
    assert (channel.oldest, written) == (11, [])
    first, second, third = Reader(), Reader(), Reader()
    for reader in (first, second, third):
        channel.subscribe(reader, KEPT)
    assert [message["sequence"] for message in first.messages] == list(range(KEPT + 1, KEPT + 11))
    assert first.messages == second.messages == third.messages
    assert len(written) == 20, "once for the first reader, and once for all others"


def test_a_channel_without_subscribers_keeps_no_messages_and_counts_them() -> None:
    channel = Channel("top.X", lambda value: Content(1, value), lambda: Content(1, "all"))
    reader = Reader()
    for value in range(2 * KEPT):
        channel.publish(value)
    assert (channel.oldest, channel.recording) == (KEPT + 1, True), "all messages are kept before the gateway serves"
    channel.limit_unread()
    channel.subscribe(reader, 2 * KEPT)
    for value in range(KEPT):
        channel.publish(value)
    channel.unsubscribe(reader)
    for value in range(KEPT - 1):
        channel.publish(value)
    late = Reader()
    channel.subscribe(late, reader.messages[-1]["sequence"])
    assert len(late.messages) == KEPT - 1, "a subscriber that resumes in time misses nothing"
    channel.unsubscribe(late)
    for value in range(KEPT):
        channel.publish(value)
    assert (channel.recording, channel.oldest) == (False, channel.sequence + 1)
    channel.sequence += 10
    channel.subscribe(late, late.messages[-1]["sequence"])
    assert late.messages[-1]["type"] == "snapshot"
    channel.publish("on")
    assert (late.messages[-1]["previous"], channel.oldest) == (channel.sequence - 1, channel.sequence)


def test_a_view_without_subscribers_has_the_same_sequences() -> None:
    """A view that serves from its beginning counts messages as one does that keeps them all."""
    keeping, serving = View(), View()
    serving.start_serving()
    for frame, _ in frames(SEEDS[0], 6_000):
        keeping.apply(frame, none_waiting)
        serving.apply(frame, none_waiting)
    numbers = {name: channel.sequence for name, channel in serving.channels.items()}
    assert numbers == {name: channel.sequence for name, channel in keeping.channels.items()}
    assert not all(channel.recording for channel in serving.channels.values())
    for name in serving.accounts:
        assert serving.accounts[name].marks == keeping.accounts[name].marks
        assert holdings_of(serving.accounts[name]) == holdings_of(keeping.accounts[name])
    for symbol, market in serving.markets.items():
        assert market.depth(None) == keeping.markets[symbol].depth(None)


def test_a_status_channel_says_that_the_exchange_stands_still() -> None:
    view = View()
    for frame, _ in frames(SEEDS[0], 300):
        view.apply(frame, none_waiting)
    (symbol,) = sorted(view.markets)[:1]
    channel = view.markets[symbol].status_channel
    reached = channel.sequence
    early, late, resumed, over = Reader(), Reader(), Reader(), Reader()
    channel.subscribe(early, None)
    assert early.notices == []
    view.announce("no engine leads", 7)
    channel.subscribe(late, None)
    for reader in (early, late):
        (notice,) = reader.notices
        assert (notice["sequence"], notice["previous"], notice["at"]) == (reached, reached, 7)
        assert notice["data"] == {**view.markets[symbol].status(), "trouble": "no engine leads"}
    view.announce(None, 8)
    channel.subscribe(over, None)
    channel.subscribe(resumed, reached)
    assert over.notices == [], "a snapshot says that all is well"
    for reader in (early, late, resumed):
        assert (reader.notices[-1]["data"]["trouble"], reader.notices[-1]["at"]) == (None, 8)
    assert channel.sequence == reached


def test_the_epoch_of_a_sequence_is_that_of_the_leader_who_published_it() -> None:
    view = View()
    readers: dict[str, Reader] = {}
    leaders: dict[str, list[int]] = {}
    for number, (frame, _) in enumerate(frames(SEEDS[0], 600)):
        before = {name: channel.sequence for name, channel in view.channels.items()}
        leader = number // 100 + 1
        view.apply(msgspec.structs.replace(frame, epoch=leader), none_waiting)
        for name, channel in view.channels.items():
            if name not in readers:
                readers[name], leaders[name] = Reader(), []
                channel.subscribe(readers[name], 0)
            leaders[name] += [leader] * (channel.sequence - before.get(name, 0))
    beginning = view.beginning
    assert sum(len(set(found)) > 1 for found in leaders.values()) > 3
    for name, reader in readers.items():
        channel = view.channels[name]
        wanted = [f"{beginning}.{leader}" for leader in leaders[name]]
        assert [channel.epoch_of(sequence) for sequence in range(1, channel.sequence + 1)] == wanted
        assert [message["epoch"] for message in reader.messages if message["type"] == "update"] == wanted
        assert channel.epoch_of(0) == f"{beginning}.0"


def test_a_missing_event_raises_gap() -> None:
    view = View()
    made = [frame for frame, _ in frames(SEEDS[0], 5)]
    view.apply(made[0], none_waiting)
    with pytest.raises(Gap):
        view.apply(made[2], none_waiting)
