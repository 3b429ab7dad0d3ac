"""The core's named fields are those of the protocol's schema, each under its own name."""

import ast
from pathlib import Path

import msgspec

from goldx.protocol import terms
from goldx.protocol.bases import Event
from goldx.protocol.commands import BY_METHOD, InstrumentDefine, OrderPlace, TradeTerms
from goldx.protocol.events import InstrumentDefined, TradeBusted
from matching.core import busts, methods
from matching.core.instrument import TERMS, Definition
from matching.core.placing import OrderRequest
from tests.matching.core.driving import command_tuple

CORE = Path(__file__).parents[3] / "matching" / "core"
ORDER = OrderPlace(
    account="A",
    client_order_id="o1",
    symbol="X",
    side=terms.SELL,
    type=terms.LIMIT,
    quantity=5_000,
    price=101,
    time_in_force=terms.GTD,
    expire_at=7_000,
    post_only=True,
    display_quantity=2_000,
    stop_price=99,
    stp=terms.DECREMENT,
    persist=True,
    session="s",
)
INSTRUMENT = InstrumentDefine(
    symbol="X",
    name="Doré",
    name_zh="合质金",
    form="DORE",
    min_fineness=500,
    max_fineness=99_000,
    tick=2,
    lot=4_000,
    max_quantity=40_000,
    price_limit_percent=10,
    lower_price_limit=90,
    upper_price_limit=110,
    market_protection=3,
    reference_price=100,
    maker_fee_bp=5,
    taker_fee_bp=7,
    price_rule=terms.MEDIAN_PRICE,
    dynamic_band_percent=8,
    interruption_ms=9_000,
    resale_lock_days=1,
    same_day_reuse_percent=60,
    by="clerk",
    reopening_steps=3,
    bust_window_ms=60_000,
    max_holders=3,
    deal_report_ms=70_000,
    deal_delay_ms=80_000,
)


def test_an_order_request_has_the_fields_of_order_place() -> None:
    """A field that is added to the schema has to be added to it, or this raises."""
    request = OrderRequest(command_tuple(ORDER))
    for name in OrderPlace.__struct_fields__:
        assert getattr(request, name) == getattr(ORDER, name), name


def test_the_terms_of_a_trade_are_read_by_name_and_repeated_in_order() -> None:
    given = TradeTerms(1, "2026-11-24", "X", 2, 3, 4, 5, 6, "A", "B", terms.SELL, 7, 8)
    read = busts._Terms(msgspec.structs.astuple(given))
    for name in TradeTerms.__struct_fields__:
        assert getattr(read, name) == getattr(given, name), name
    names = [name for name in TradeBusted.__struct_fields__ if name not in Event.__struct_fields__]
    repeated = TradeTerms.__struct_fields__[busts._REPEATED :]
    named_lots = ["lots", "lot_reservation"]
    assert names == ["trade_id", *repeated, "traded_at", "proposed_by", "by", "reason", *named_lots]


def test_no_name_of_a_method_is_typed_in_the_core() -> None:
    """``matching.core.methods`` has them from the classes of the commands, by their own names."""
    found = [
        f"{file.name}:{node.lineno}"
        for file in sorted(CORE.glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in BY_METHOD
    ]
    assert found == []
    names = {name: value for name, value in vars(methods).items() if name.isupper()}
    assert names == {method.upper().replace(".", "_"): method for method in names.values()}
    assert len(names) > 30


def test_a_definition_has_the_fields_of_instrument_defined() -> None:
    given = dict(zip(("", *InstrumentDefine.__struct_fields__), command_tuple(INSTRUMENT), strict=True))
    values = [value for name, value in given.items() if name not in ("", "symbol", "by", "given", "rules")]
    definition = Definition(values)
    common, set_by_gateway = (*Event.__struct_fields__, "symbol"), ("by", "given", "rules")
    names = [name for name in InstrumentDefined.__struct_fields__ if name not in common]
    assert names == [name for name in InstrumentDefine.__struct_fields__ if name not in ("symbol", *set_by_gateway)]
    assert names == list(TERMS)
    for name in names:
        assert getattr(definition, name) == getattr(INSTRUMENT, name), name
    assert list(definition.values()) == values
