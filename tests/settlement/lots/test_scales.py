"""Balances: a weight is one that its balance can have shown, at its warehouse and within its calibration."""

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.intake import intake
from settlement.lots import scales, warehouses
from settlement.lots.scales import GrossWeight, parse_shown_weight
from tests.settlement.intake.lot_steps import advised
from tests.settlement.small_exchange import FAR, ONE, PAST, SmallExchange, do, refused


@pytest.mark.parametrize(
    ("scale", "grams", "reason"),
    [
        ("FINE", "100.00", None),
        ("FINE", "100.0", "WRONG_RESOLUTION"),
        ("FINE", "100", "WRONG_RESOLUTION"),
        ("FINE", "5000.01", "OVER_CAPACITY"),
        ("STEP", "12000.05", None),
        ("STEP", "12000.02", "WRONG_RESOLUTION"),
        ("HEAVY", "12000.1", None),
        ("HEAVY", "12000.10", "WRONG_RESOLUTION"),
        ("HEAVY", "9999.9", "WRONG_RESOLUTION"),
        ("OLD", "100.00", "CALIBRATION_EXPIRED"),
        ("AWAY", "100.00", "ELSEWHERE"),
    ],
)
async def test_a_weight_that_its_balance_cannot_have_shown_is_refused(
    exchange: SmallExchange, scale: str, grams: str, reason: str | None
) -> None:
    """The venue's own rule, domain sheet 4.3: 0.01 g up to 10 kg, 0.1 g above, as read."""

    async def balances(connection: AsyncConnection) -> None:
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        for code, place, step, most, until in (
            ("FINE", "XM1", 1, 500_000, FAR),
            ("STEP", "XM1", 5, 2_000_000, FAR),
            ("HEAVY", "XM1", 10, 3_000_000, FAR),
            ("OLD", "XM1", 1, 500_000, PAST),
            ("AWAY", "XM2", 1, 500_000, FAR),
        ):
            await scales.add(connection, ONE, code, place, step, most, "CAL", until)

    await do(exchange, balances)
    number = await advised(exchange)
    await do(exchange, intake.arrive, ONE, {number: "S-1"})
    gross = GrossWeight(scale, parse_shown_weight("grams", grams))

    if reason is None:
        await do(exchange, intake.weigh, ONE, {number: gross})
    else:
        await refused(exchange, reason, intake.weigh, ONE, {number: gross})
