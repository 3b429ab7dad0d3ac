"""The JSON form of commands and events, read and written.

A field has the same name, type and unit wherever it appears, so one table of codecs serves every method and event.
Reading is strict: an unknown parameter, a missing one, a wrong type or a value out of range raises BadValue, which
names the parameter.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

import msgspec

from goldx.protocol import terms, units
from goldx.protocol.bases import Event, LotsFound
from goldx.protocol.commands import BY_METHOD, COMMANDS, AnyCommand, HoldingAdjust, Leg, TradeTerms
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.events import AnyEvent, HoldingAdjusted, HoldingChanged, Trade
from goldx.protocol.quote_commands import MassEntry
from goldx.protocol.units import BadValue

_SHA256 = re.compile("[0-9a-f]{64}")
MAX_TIME_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""


class Codec(NamedTuple):
    """How one field is read from JSON, given its name and the value, and how it is written to JSON."""

    read: Callable[[str, Any], Any]
    write: Callable[[Any], Any]


def _unchanged(value: Any) -> Any:
    return value


def _word(words: tuple[str, ...]) -> Codec:
    index = {word: number for number, word in enumerate(words)}

    def read(field: str, value: Any) -> int:
        if not isinstance(value, str) or value not in index:
            raise BadValue(field, value, "one of " + ", ".join(words))
        return index[value]

    return Codec(read, words.__getitem__)


def _whole(lowest: int, largest: int) -> Codec:
    def read(field: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= largest:
            raise BadValue(field, value, f"a whole number from {lowest} to {largest}")
        return value

    return Codec(read, _unchanged)


def _text(longest: int) -> Codec:
    def read(field: str, value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise BadValue(field, value, f"printable text of at most {longest} characters")
        return value

    return Codec(read, _unchanged)


def _given_text(longest: int, *, lines: bool = False) -> Codec:
    """Return the codec of a text that is not empty and printable; ``lines``: it may have several.

    The ideographic space, with which Chinese paragraphs begin, is allowed. A line may end with CR LF, CR or LF, as the
    systems of the writers have it; what is read has LF alone, and so has its length.
    """

    def read(field: str, value: Any) -> str:
        text = value if isinstance(value, str) else ""
        if lines:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        printable = text.replace("\n" if lines else "", "").replace("\u3000", "").isprintable()
        if not printable or not text.strip() or len(text) > longest:
            kind = "printable lines" if lines else "printable text"
            raise BadValue(field, value, f"{kind} of 1 to {longest} characters")
        return text

    return Codec(read, _unchanged)


def _read_flag(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadValue(field, value, "true or false")
    return value


def _read_date(field: str, value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise BadValue(field, value, "a date such as 2026-11-24") from None


def _read_sha256(field: str, value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise BadValue(field, value, "a SHA-256 as 64 digits 0 to 9, a to f")
    return value


def _read_value(field: str, value: Any) -> int:
    fen = units.parse_money(value, field)
    if fen == 0:
        raise BadValue(field, value, "more than zero")
    return fen


def _read_money_from_zero(field: str, value: Any) -> int:
    return units.parse_decimal(field, value, 2, 0, units.MAX_MONEY_FEN, "CNY")


def _read_names(field: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 64 or not all(isinstance(name, str) for name in value):
        raise BadValue(field, value, "a list of at most 64 names")
    return tuple(units.parse_identifier(name, field) for name in value)


def _read_positive_weight(field: str, value: Any) -> int:
    mg = units.parse_weight(value, field)
    if mg == 0:
        raise BadValue(field, value, "more than zero")
    return mg


def _read_lots(field: str, value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else []
    whole = all(isinstance(one, int) and not isinstance(one, bool) and 0 < one < 2**63 for one in numbers)
    if not whole or not 1 <= len(numbers) <= terms.MAX_NAMED_LOTS or len(set(numbers)) < len(numbers):
        raise BadValue(field, value, f"a list of 1 to {terms.MAX_NAMED_LOTS} numbers of receipts, each once")
    return tuple(numbers)


_identifier = Codec(lambda field, value: units.parse_identifier(value, field), _unchanged)
_price = Codec(lambda field, value: units.parse_price(value, field), units.format_price)
_weight = Codec(_read_positive_weight, units.format_weight)
_any_weight = Codec(lambda field, value: units.parse_weight(value, field), units.format_weight)
_money = Codec(lambda field, value: units.parse_money(value, field), units.format_money)
_value = Codec(_read_value, units.format_money)
_flag = Codec(_read_flag, _unchanged)
_time = _whole(0, MAX_TIME_MS)
_number = _whole(1, 2**63 - 1)

CODECS: dict[str, Codec] = {
    **dict.fromkeys(("account", "client_order_id", "new_client_order_id", "quote_id", "symbol", "member"), _identifier),
    "group": _identifier,
    **dict.fromkeys(("owner", "buy_account", "sell_account", "counter_account", "client_deal_id"), _identifier),
    "client_rfq_id": _identifier,
    **dict.fromkeys(("order_id", "trade_id", "deal_id", "rfq_id", "rfq_quote_id", "notice_id", "replaces"), _number),
    **dict.fromkeys(("maker_order_id", "taker_order_id"), _whole(0, 2**63 - 1)),
    **dict.fromkeys(("price", "stop_price", "bid_price", "ask_price", "reference_price", "tick"), _price),
    "covering_price": _price,
    **dict.fromkeys(("lower_price_limit", "upper_price_limit", "market_protection"), _price),
    **dict.fromkeys(("quantity", "display_quantity", "bid_quantity", "ask_quantity", "max_quantity", "lot"), _weight),
    "max_net": _weight,
    **dict.fromkeys(("remaining", "maker_remaining", "taker_remaining", "bought", "sold"), _any_weight),
    **dict.fromkeys(("amount", "buy_fee", "sell_fee", "before", "owed", "collected"), _money),
    **dict.fromkeys(("maker_fee_bp", "taker_fee_bp"), _whole(0, 1_000)),
    **dict.fromkeys(("min_fineness", "max_fineness"), _whole(1, units.FINENESS_ONE)),
    **dict.fromkeys(("price_limit_percent", "dynamic_band_percent"), _whole(1, 99)),
    **dict.fromkeys(("expire_at", "planned_at", "latest_at", "first_at", "last_at", "until"), _time),
    **dict.fromkeys(("at", "traded_at", "agreed_at", "grace_until", "firm_until"), _time),
    "delay_ms": _whole(0, 86_400_000),
    **dict.fromkeys(("post_only", "persist", "kept_priority", "held", "deposit", "to_acknowledge"), _flag),
    **dict.fromkeys(("title", "title_zh"), _given_text(120)),
    **dict.fromkeys(("text", "text_zh"), _given_text(4_000, lines=True)),
    **dict.fromkeys(("anonymous", "all_or_none", "hidden"), _flag),
    "grace_ms": _whole(terms.SHORTEST_RFQ_GRACE_MS, terms.LONGEST_RFQ_GRACE_MS),
    **dict.fromkeys(("side", "taker_side"), _word(terms.SIDES)),
    **dict.fromkeys(("phase", "previous"), _word(terms.PHASES)),
    **dict.fromkeys(("name", "name_zh"), _text(64)),
    **dict.fromkeys(("reference", "by", "proposed_by", "reason", "method", "claim"), _text(96)),
    "trading_day": _text(10),
    "session": _text(97),  # a plus, a key id of 32, a slash, and a name of 63
    **dict.fromkeys(("subject", "detail", "obstacle"), _text(300)),
    "asset": _identifier,
    "type": _word(terms.ORDER_TYPES),
    "time_in_force": _word(terms.TIMES_IN_FORCE),
    "stp": _word(terms.SELF_TRADE_MODES),
    "price_rule": _word(terms.PRICE_RULES),
    "kind": _word(terms.ACCOUNT_KINDS),
    "form": Codec(lambda field, value: terms.FORMS[_word(terms.FORMS).read(field, value)], _unchanged),
    **dict.fromkeys(("next_trading_day", "last_trading_day", "document_date"), Codec(_read_date, _unchanged)),
    "regime": _word(terms.REGIMES),
    **dict.fromkeys(("document_name", "document_number"), _text(200)),
    "document_sha256": Codec(_read_sha256, _unchanged),
    **dict.fromkeys(("max_clients", "max_holders"), _whole(1, 1_000_000)),
    **dict.fromkeys(("max_day_value", "max_total_value"), _value),
    "min_hold_trading_days": _whole(0, 250),
    **dict.fromkeys(("max_order_value", "max_net_purchases"), Codec(_read_money_from_zero, units.format_money)),
    **dict.fromkeys(("max_order_quantity", "max_net_sales"), _any_weight),
    "max_open_orders": _whole(0, 1_000_000),
    **dict.fromkeys(("given", "terms", "buyers", "members"), Codec(_read_names, list)),
    "largest_change_percent": _whole(1, 99),
    "rules": _whole(0, terms.END_OF_DAY_RULES),
    "interruption_ms": _whole(1_000, 86_400_000),
    "reopening_steps": _whole(1, 9),
    "level": _whole(1, terms.MAX_QUOTE_LEVELS),
    "window_ms": _whole(1, terms.LONGEST_PROTECTION_WINDOW_MS),
    "bust_window_ms": _whole(0, terms.LONGEST_BUST_WINDOW_MS),
    **dict.fromkeys(("deal_report_ms", "deal_delay_ms"), _whole(0, terms.LONGEST_DEAL_MS)),
    "resale_lock_days": _whole(0, 250),
    "same_day_reuse_percent": _whole(0, 100),
    "lots": Codec(_read_lots, list),
    "fine": _weight,
    "reservation": _whole(0, 2**63 - 1),
    "lot_reservation": _number,
}

_BY_ASSET = ("amount", "total", "reserved", "locked", "unwithdrawable")
"""Fields whose unit is that of the record's ``asset``: fen for CNY, fine milligrams for gold."""
_ASSET_RECORDS = (HoldingAdjust, Leg, HoldingAdjusted, HoldingChanged)
_WRITTEN_AS_NULL = ("price", "taker_side")
_TRADE_KIND = _word(terms.TRADE_KINDS)
_TRADES = (Trade, TradePublished)
"""Records whose ``kind`` is that of a trade and not of an account."""
_COMMON = Event.__struct_fields__
"""The first fields of every event."""


class _Shape(NamedTuple):
    names: tuple[str, ...]
    required: frozenset[str]


def _shape(record: type[msgspec.Struct]) -> _Shape:
    fields = msgspec.structs.fields(record)
    return _Shape(tuple(f.name for f in fields), frozenset(f.name for f in fields if f.required))


_SHAPES = {command: _shape(command) for command in (*COMMANDS, Leg, TradeTerms, MassEntry, LotsFound)}


def read_command(method: object, params: object) -> AnyCommand:
    """Read a command from its method and parameters. Raises BadValue, with the field ``method`` for an unknown one."""
    record = BY_METHOD.get(method) if isinstance(method, str) else None
    if record is None:
        raise BadValue("method", method, "one of " + ", ".join(BY_METHOD))
    command: AnyCommand = _read_record(record, params, "params")
    return command


def _read_record(record: type[Any], params: object, where: str) -> Any:
    if not isinstance(params, Mapping):
        raise BadValue(where, params, "an object")
    shape = _SHAPES[record]
    for name in params:
        if name not in shape.names:
            allowed = "one of the parameters " + (", ".join(shape.names) or "(none)")
            raise BadValue(str(name)[:40] or where, params[name], allowed)
    values: dict[str, Any] = {}
    for name in shape.names:
        value = params.get(name)
        if value is None:
            if name in shape.required:
                raise BadValue(name, None, "given")
            continue
        values[name] = _read_field(record, name, value, params)
    return record(**values)


def _read_field(record: type[Any], name: str, value: Any, params: Mapping[str, Any]) -> Any:
    if name in _BY_ASSET and record in _ASSET_RECORDS:
        return units.parse_amount(value, params.get("asset", units.CASH), name)
    if name == "legs":
        if not isinstance(value, list) or not 1 <= len(value) <= 16:
            raise BadValue(name, value, "a list of 1 to 16 legs")
        return tuple(_read_record(Leg, leg, "legs") for leg in value)
    if name == "trade":
        return _read_record(TradeTerms, value, name)
    if name == "lots_found":
        return _read_record(LotsFound, value, name)
    if name == "quotes":
        return _read_quotes(name, value)
    if record is MassEntry and name in ("bid_quantity", "ask_quantity"):
        return _any_weight.read(name, value)
    return CODECS[name].read(name, value)


def _read_quotes(name: str, value: Any) -> tuple[MassEntry, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= terms.MAX_MASS_ENTRIES:
        raise BadValue(name, value, f"a list of 1 to {terms.MAX_MASS_ENTRIES} entries")
    entries: tuple[MassEntry, ...] = tuple(_read_record(MassEntry, entry, name) for entry in value)
    if len({(entry.symbol, entry.level) for entry in entries}) < len(entries):
        raise BadValue(name, value, "each level of an instrument once")
    for entry in entries:
        for side in ("bid", "ask"):
            if getattr(entry, f"{side}_quantity") and getattr(entry, f"{side}_price") is None:
                raise BadValue(f"{side}_price", None, f"given with {side}_quantity")
    return entries


def write_command(command: AnyCommand) -> dict[str, Any]:
    """Return a command as ``{"method": ..., "params": {...}}``; parameters at their defaults are left out."""
    params = {}
    for field in msgspec.structs.fields(command):
        value = getattr(command, field.name)
        if field.required or value != field.default:
            params[field.name] = _write_field(command, field.name, value)
    return {"method": command.method, "params": params}


def write_event(event: AnyEvent) -> dict[str, Any]:
    """Return an event as ``{"sequence": ..., "at": ..., "event": ..., ...}``."""
    out: dict[str, Any] = {"sequence": event.sequence, "at": event.at, "event": event.event}
    for name in event.__struct_fields__[len(_COMMON) :]:
        value = getattr(event, name)
        if value is not None:
            out[name] = _write_field(event, name, value)
        elif name in _WRITTEN_AS_NULL:
            out[name] = None
    return out


def _write_field(record: Any, name: str, value: Any) -> Any:
    if name in _BY_ASSET and isinstance(record, _ASSET_RECORDS):
        return units.format_amount(value, record.asset)
    if name == "kind" and isinstance(record, _TRADES):
        return _TRADE_KIND.write(value)
    if name == "legs":
        return [
            {"account": leg.account, "asset": leg.asset, "amount": units.format_amount(leg.amount, leg.asset)}
            for leg in value
        ]
    if name == "quotes":
        return [
            {
                field: _write_field(entry, field, part)
                for field, part in msgspec.structs.asdict(entry).items()
                if part is not None
            }
            for entry in value
        ]
    if name == "trade_ids":
        return list(value)
    if name in ("trade", "lots_found"):
        fields = [(field, getattr(value, field)) for field in value.__struct_fields__]
        return {field: _write_field(value, field, part) for field, part in fields if part is not None}
    return CODECS[name].write(value)


def write_event_line(event: AnyEvent) -> bytes:
    """Return an event as ``goldx replay`` prints it: compact JSON and a newline. Equal events give equal bytes."""
    return msgspec.json.encode(write_event(event)) + b"\n"
