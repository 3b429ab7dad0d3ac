"""Steps of one lot, as the tests of intake take them."""

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.assays import assay
from settlement.assays.assay import Result
from settlement.intake import intake, pre_advice
from settlement.lots import sampling
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import GrossWeight, parse_shown_weight
from tests.settlement import bar_lists
from tests.settlement.small_exchange import ONE, SmallExchange, bars, do

SCRAP = {"symbol": "SCRAP", "form": "SCRAP_JEWEL", "fineness_permille": "900.00", "origin": "RECYCLED_CONSUMER"}


async def with_classes(exchange: SmallExchange) -> None:
    """Define a class for scrap and one for dore beside the usual one."""
    await exchange.engine_runner.define("SCRAP", "SCRAP_JEWEL", min_fineness=30_000)
    await exchange.engine_runner.define("DORE", "DORE", min_fineness=30_000)
    await exchange.post()


async def advised(exchange: SmallExchange, **row: str) -> int:
    """Pre-advise a lot and return its number."""
    (number,) = await do(exchange, pre_advice.pre_advise, ONE, bar_lists.declared(bars([row])))
    return number


async def screened(exchange: SmallExchange, grams: str = "100.00", **row: str) -> int:
    """Take a lot up to its screening and return its number."""
    number = await advised(exchange, **row)

    async def work(connection: AsyncConnection) -> None:
        await intake.arrive(connection, ONE, {number: "S-1"})
        await intake.weigh(connection, ONE, {number: GrossWeight("SCALE-1", parse_shown_weight("grams", grams))})
        points = (90_000, 90_100, 90_000) if "form" in row else (99_900,)
        await intake.screen(connection, ONE, {number: points})

    await do(exchange, work)
    return number


async def assayed(exchange: SmallExchange, number: int, *ppm: int) -> None:
    """Draw a sample of a lot and record its fire assay."""

    async def work(connection: AsyncConnection) -> None:
        await sampling.draw(connection, ONE, {number: [SealedSample("A", f"P-{number}", 500)]})
        await assay.fire_assay(connection, ONE, {number: Result("LAB-A", ppm, f"P-{number}")})

    await do(exchange, work)
