"""The JSON form of commands and events: what is malformed raises BadValue, everything else reads back unchanged."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldx.protocol import terms, units, wire
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import BY_METHOD, AnyCommand, Leg, TradeTerms
from goldx.protocol.events import EVENTS, AnyEvent, Trade
from goldx.protocol.quote_commands import MassEntry
from goldx.protocol.rfq_events import RfqGraceEnded, ShownQuote
from goldx.protocol.units import BadValue

identifiers = st.text("ABCxyz019._-", min_size=1, max_size=32)
prices = st.integers(1, units.MAX_PRICE_FEN)
weights = st.integers(1, units.MAX_WEIGHT_MG)
amounts = st.integers(-units.MAX_WEIGHT_MG, units.MAX_WEIGHT_MG)
plain = st.text("abc XYZ 金-", max_size=20)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("account", "client_order_id", "new_client_order_id", "quote_id", "symbol", "member"), identifiers),
    "group": identifiers,
    **dict.fromkeys(("owner", "buy_account", "sell_account"), identifiers),
    "asset": st.sampled_from(["CNY", "AU9999"]),
    **dict.fromkeys(("order_id", "trade_id", "maker_order_id", "taker_order_id"), st.integers(1, 2**63 - 1)),
    **dict.fromkeys(("price", "stop_price", "bid_price", "ask_price", "reference_price", "tick"), prices),
    **dict.fromkeys(("lower_price_limit", "upper_price_limit", "market_protection"), prices),
    **dict.fromkeys(("quantity", "display_quantity", "bid_quantity", "ask_quantity", "max_quantity", "lot"), weights),
    **dict.fromkeys(("max_net", "bought", "sold"), weights),
    "level": st.integers(1, terms.MAX_QUOTE_LEVELS),
    "window_ms": st.integers(1, terms.LONGEST_PROTECTION_WINDOW_MS),
    **dict.fromkeys(("remaining", "maker_remaining", "taker_remaining"), weights),
    **dict.fromkeys(("before", "owed", "collected"), st.integers(0, units.MAX_MONEY_FEN)),
    **dict.fromkeys(("amount", "buy_fee", "sell_fee", "total", "reserved", "locked", "unwithdrawable"), amounts),
    **dict.fromkeys(("maker_fee_bp", "taker_fee_bp"), st.integers(0, 1_000)),
    **dict.fromkeys(("min_fineness", "max_fineness"), st.integers(1, 100_000)),
    **dict.fromkeys(("price_limit_percent", "dynamic_band_percent"), st.integers(1, 99)),
    **dict.fromkeys(
        ("expire_at", "planned_at", "latest_at", "first_at", "last_at", "until"), st.integers(0, wire.MAX_TIME_MS)
    ),
    "delay_ms": st.integers(0, 86_400_000),
    **dict.fromkeys(("post_only", "persist", "kept_priority", "held", "deposit"), st.booleans()),
    **dict.fromkeys(("side", "taker_side", "type", "price_rule", "kind"), st.integers(0, 1)),
    **dict.fromkeys(("phase", "previous", "time_in_force"), st.integers(0, 4)),
    "stp": st.integers(0, 3),
    **dict.fromkeys(
        ("name", "name_zh", "reference", "claim", "by", "session", "reason", "method", "subject", "detail"), plain
    ),
    "obstacle": plain,
    "proposed_by": plain,
    "form": st.sampled_from(terms.FORMS),
    **dict.fromkeys(
        ("next_trading_day", "last_trading_day", "document_date"), st.dates().map(lambda day: day.isoformat())
    ),
    "regime": st.integers(0, 3),
    **dict.fromkeys(("document_name", "document_number"), plain),
    "document_sha256": st.binary(min_size=32, max_size=32).map(bytes.hex),
    **dict.fromkeys(("max_clients", "max_holders"), st.integers(1, 1_000_000)),
    **dict.fromkeys(("max_day_value", "max_total_value"), st.integers(1, units.MAX_WEIGHT_MG)),
    "min_hold_trading_days": st.integers(0, 250),
    **dict.fromkeys(("max_order_value", "max_net_purchases"), st.integers(0, units.MAX_MONEY_FEN)),
    **dict.fromkeys(("max_order_quantity", "max_net_sales"), st.integers(0, units.MAX_WEIGHT_MG)),
    "max_open_orders": st.integers(0, 1_000_000),
    "buyers": st.lists(identifiers, max_size=3).map(tuple),
    "terms": st.lists(st.sampled_from(["tick", "lot"]), max_size=2, unique=True).map(tuple),
    "given": st.lists(st.sampled_from(["tick", "lot", "max_quantity"]), max_size=3, unique=True).map(tuple),
    "largest_change_percent": st.integers(1, 99),
    "rules": st.integers(0, terms.END_OF_DAY_BY_TWO),
    "interruption_ms": st.integers(1_000, 86_400_000),
    "reopening_steps": st.integers(1, 9),
    **dict.fromkeys(("bust_window_ms", "deal_report_ms", "deal_delay_ms"), st.integers(0, 86_400_000)),
    **dict.fromkeys(("deal_id", "notice_id", "replaces"), st.integers(1, 2**53)),
    **dict.fromkeys(("title", "title_zh"), st.text("abc 金-", min_size=1, max_size=20).filter(str.strip)),
    **dict.fromkeys(("text", "text_zh"), st.text("abc 金-\n", min_size=1, max_size=20).filter(str.strip)),
    "to_acknowledge": st.booleans(),
    "members": st.lists(identifiers, max_size=3).map(tuple),
    **dict.fromkeys(("client_deal_id", "counter_account"), st.sampled_from(["d1", "FIRM-B.H"])),
    **dict.fromkeys(("rfq_id", "rfq_quote_id", "replaces"), st.integers(1, 2**53)),
    "client_rfq_id": identifiers,
    "trade_ids": st.lists(st.integers(1, 2**53), max_size=3).map(tuple),
    "covering_price": prices,
    "grace_ms": st.integers(terms.SHORTEST_RFQ_GRACE_MS, terms.LONGEST_RFQ_GRACE_MS),
    **dict.fromkeys(("grace_until", "firm_until"), st.integers(0, wire.MAX_TIME_MS)),
    **dict.fromkeys(("anonymous", "all_or_none", "hidden"), st.booleans()),
    "lots": st.lists(st.integers(1, 2**53), min_size=1, max_size=3, unique=True).map(tuple),
    "fine": weights,
    "reservation": st.integers(0, 2**53),
    "lot_reservation": st.integers(1, 2**53),
    "agreed_at": st.integers(0, wire.MAX_TIME_MS),
    "trading_day": st.sampled_from(["", "2026-11-24"]),
    "resale_lock_days": st.integers(0, 250),
    "same_day_reuse_percent": st.integers(0, 100),
    "sequence": st.integers(1, 2**53),
    **dict.fromkeys(("at", "traded_at"), st.integers(0, wire.MAX_TIME_MS)),
}


@st.composite
def records(draw: st.DrawFn, record: type[Any]) -> Any:
    """A record of any command or event, with any of its optional fields left at their defaults."""
    values = {}
    for field in msgspec.structs.fields(record):
        if not field.required and draw(st.booleans()):
            continue
        if field.name == "legs":
            values["legs"] = tuple(draw(st.lists(records(Leg), min_size=1, max_size=3)))
        elif field.name == "lots_found":
            values["lots_found"] = draw(records(LotsFound))
        elif field.name == "trade":
            values["trade"] = draw(records(TradeTerms))
        elif field.name == "quotes" and record is RfqGraceEnded:
            values["quotes"] = tuple(draw(st.lists(records(ShownQuote), max_size=3)))
        elif field.name == "quotes":
            levels = draw(st.lists(records(MassEntry), min_size=1, max_size=3, unique_by=lambda q: (q.symbol, q.level)))
            values["quotes"] = tuple(map(with_prices, levels))
        else:
            values[field.name] = draw(VALUES[field.name])
    return record(**values)


def with_prices(entry: MassEntry) -> MassEntry:
    """Return an entry whose sides have a price wherever they have a quantity."""
    bid, ask = entry.bid_price or 1, entry.ask_price or 1
    return msgspec.structs.replace(
        entry,
        bid_price=bid if entry.bid_quantity else entry.bid_price,
        ask_price=ask if entry.ask_quantity else entry.ask_price,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("command", BY_METHOD.values(), ids=lambda c: c.method)
@given(data=st.data())
@settings(max_examples=40)
def test_a_command_reads_back_from_json_and_message_pack(command: type[AnyCommand], data: st.DataObject) -> None:
    given_command = data.draw(records(command))
    as_json = msgspec.json.decode(msgspec.json.encode(wire.write_command(given_command)))
    assert wire.read_command(as_json["method"], as_json["params"]) == given_command
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(given_command), type=AnyCommand) == given_command


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.event)
@given(data=st.data())
@settings(max_examples=25)
def test_an_event_is_one_line_of_json_with_decimal_strings(event: type[AnyEvent], data: st.DataObject) -> None:
    given_event = data.draw(records(event))
    line = wire.write_event_line(given_event)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    out = msgspec.json.decode(line)
    assert list(out)[:3] == ["sequence", "at", "event"]
    for name in ("price", "quantity", "remaining", "amount", "total", "buy_fee"):
        assert isinstance(out.get(name, ""), str | None)


MALFORMED = json_values | st.dictionaries(st.sampled_from(sorted(VALUES)), json_values, max_size=6)


@pytest.mark.parametrize("method", BY_METHOD)
@given(params=MALFORMED)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_malformed_parameters_raise_bad_value_and_nothing_else(method: str, params: Any) -> None:
    """Any JSON as params: a command of that method comes out, or BadValue with a printable message; nothing else."""
    read_or_raise_bad_value(method, params)


@pytest.mark.campaign
@pytest.mark.parametrize("method", BY_METHOD)
@given(params=MALFORMED)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_many_malformed_parameters_raise_bad_value_and_nothing_else(method: str, params: Any) -> None:
    read_or_raise_bad_value(method, params)


@pytest.mark.parametrize("method", BY_METHOD)
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_one_wrong_value_among_good_parameters_raises_bad_value(method: str, data: st.DataObject) -> None:
    one_wrong_value_raises_bad_value(method, data)


@pytest.mark.campaign
@pytest.mark.parametrize("method", BY_METHOD)
@given(data=st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_each_of_many_wrong_values_raises_bad_value(method: str, data: st.DataObject) -> None:
    one_wrong_value_raises_bad_value(method, data)


def one_wrong_value_raises_bad_value(method: str, data: st.DataObject) -> None:
    good = wire.write_command(data.draw(records(BY_METHOD[method])))["params"]
    name = data.draw(st.sampled_from([*good, "surplus"]) if good else st.just("surplus"))
    read_or_raise_bad_value(method, {**good, name: data.draw(json_values)})
    with pytest.raises(BadValue, match="surplus"):
        wire.read_command(method, {**good, "surplus": data.draw(json_values)})


def read_or_raise_bad_value(method: str, params: Any) -> None:
    try:
        command = wire.read_command(method, params)
    except BadValue as bad:
        refusal = bad
    else:
        assert command.method == method
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=AnyCommand) == command
        return
    assert refusal.field
    assert len(str(refusal)) < 1_500


@given(json_values)
def test_an_unknown_method_raises_bad_value(method: Any) -> None:
    if isinstance(method, str) and method in BY_METHOD:
        return
    with pytest.raises(BadValue, match="method"):
        wire.read_command(method, {})


ORDER = {
    "account": "A",
    "client_order_id": "1",
    "symbol": "AU",
    "side": "buy",
    "type": "limit",
    "price": "612.35",
    "quantity": "100",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", 612.35),
        ("price", 612),
        ("price", "0"),
        ("price", "612.355"),
        ("quantity", 100),
        ("quantity", "0"),
        ("quantity", "-1"),
        ("side", "BUY"),
        ("side", 0),
        ("type", "stop"),
        ("time_in_force", "gtc"),
        ("stp", "none"),
        ("post_only", 1),
        ("post_only", "true"),
        ("expire_at", 1.0),
        ("expire_at", True),
        ("expire_at", -1),
        ("account", "a b"),
        ("account", ""),
        ("session", "x" * 98),
        ("session", "\n"),
        ("surplus", None),
    ],
)
def test_the_refusal_names_the_field(name: str, value: object) -> None:
    with pytest.raises(BadValue) as caught:
        wire.read_command("order.place", {**ORDER, name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", ORDER)
def test_a_missing_parameter_is_named(name: str) -> None:
    params = {**ORDER}
    del params[name]
    if name == "price":
        assert wire.read_command("order.place", params) is not None, "whether a price is needed is the core's question"
        return
    with pytest.raises(BadValue) as caught:
        wire.read_command("order.place", params)
    assert caught.value.field == name


INSTRUMENT = {"symbol": "AU"}
SETTLEMENT: dict[str, Any] = {"reference": "r", "legs": [{"account": "A", "asset": "CNY", "amount": "1"}]}


@pytest.mark.parametrize(
    ("method", "params", "name", "allowed", "refused"),
    [
        ("instrument.define", INSTRUMENT, "min_fineness", (1, 100_000), (0, 100_001, True)),
        ("instrument.define", INSTRUMENT, "price_limit_percent", (1, 99), (0, 100)),
        ("instrument.define", INSTRUMENT, "dynamic_band_percent", (1, 99), (0, 100)),
        ("instrument.define", INSTRUMENT, "maker_fee_bp", (0, 1_000), (-1, 1_001)),
        ("instrument.define", INSTRUMENT, "resale_lock_days", (0, 250), (-1, 251)),
        ("instrument.define", INSTRUMENT, "same_day_reuse_percent", (0, 100), (-1, 101)),
        ("instrument.define", INSTRUMENT, "reopening_steps", (1, 9), (0, 10)),
        ("instrument.define", INSTRUMENT, "interruption_ms", (1_000, 86_400_000), (999, 86_400_001)),
        ("instrument.define", INSTRUMENT, "name", ("", "x" * 64), ("x" * 65, "a\tb", 7)),
        ("instrument.define", INSTRUMENT, "tick", ("0.01",), ("0", "0.001")),
        ("order.place", ORDER, "expire_at", (0, wire.MAX_TIME_MS), (-1, wire.MAX_TIME_MS + 1)),
        ("order.cancel", {"account": "A"}, "order_id", (1, 2**63 - 1), (0, 2**63)),
        ("market.end_day", {}, "next_trading_day", ("2026-11-24",), ("2026-11-31", "tomorrow", "", 20_261_124)),
        ("holding.settle", SETTLEMENT, "legs", (SETTLEMENT["legs"] * 16,), ([], SETTLEMENT["legs"] * 17, {}, "legs")),
    ],
)
def test_the_bounds_of_a_field(
    method: str, params: dict[str, Any], name: str, allowed: tuple[Any, ...], refused: tuple[Any, ...]
) -> None:
    for value in allowed:
        assert wire.read_command(method, {**params, name: value}) is not None
    for value in refused:
        with pytest.raises(BadValue) as caught:
            wire.read_command(method, {**params, name: value})
        assert caught.value.field == name


def test_each_end_of_a_line_becomes_a_line_feed() -> None:
    read = wire.CODECS["text"].read
    assert read("text", "one\r\ntwo\rthree\n\r\nfour") == "one\ntwo\nthree\n\nfour"
    assert read("text", "\r\n".join(["x" * 99] * 40)) == "\n".join(["x" * 99] * 40), "4,000 as they are kept"
    for wrong in ("\r\n", "a\x0bb", "a\u2028b", "x" * 4_001):
        with pytest.raises(BadValue, match="printable lines of 1 to 4000"):
            read("text", wrong)
    for line in ("\r\n", "\r", "\n"):
        with pytest.raises(BadValue, match="printable text of 1 to 120"):
            wire.CODECS["title"].read("title", f"a{line}b")


def test_null_means_not_given() -> None:
    assert wire.read_command("order.place", {**ORDER, "stop_price": None}) == wire.read_command("order.place", ORDER)


def test_the_unit_of_an_amount_follows_its_asset() -> None:
    cash = wire.read_command("holding.adjust", {"account": "A", "asset": "CNY", "amount": "-5", "reference": "r"})
    gold = wire.read_command("holding.adjust", {"account": "A", "asset": "AU", "amount": "0.125", "reference": "r"})
    assert (cash.amount, gold.amount) == (-500, 125)  # type: ignore[union-attr]
    with pytest.raises(BadValue, match="amount"):
        wire.read_command("holding.adjust", {"account": "A", "asset": "CNY", "amount": "0.125", "reference": "r"})


def test_a_trade_is_written_as_in_the_protocol() -> None:
    trade = Trade(7, 9, 1, "AU", 61_235, 100_000, 6_123_500, 1, 2, "B", "S", None, 0, 500, 306, 0)
    assert wire.write_event(trade) == {
        "sequence": 7,
        "at": 9,
        "event": "trade",
        "trade_id": 1,
        "symbol": "AU",
        "price": "612.35",
        "quantity": "100",
        "amount": "61235.00",
        "maker_order_id": 1,
        "taker_order_id": 2,
        "buy_account": "B",
        "sell_account": "S",
        "taker_side": None,
        "maker_remaining": "0",
        "taker_remaining": "0.5",
        "buy_fee": "3.06",
        "sell_fee": "0.00",
    }
