"""The core's named fields are those of the protocol's schema, each under its own name."""

from goldx.protocol import terms
from goldx.protocol.bases import Event
from goldx.protocol.commands import InstrumentDefine, OrderPlace
from goldx.protocol.events import InstrumentDefined
from matching.core.instrument import TERMS, Definition
from matching.core.placing import OrderRequest
from tests.matching.core.driving import command_tuple

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
