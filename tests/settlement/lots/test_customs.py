"""A class gets its customs status while it has no lot that is here or to come."""

from settlement.intake import intake, melting, pre_advice
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.lots import customs, lots
from settlement.lots.scales import parse_shown_weight
from tests.settlement import bar_lists
from tests.settlement.small_exchange import ONE, SmallExchange, bars, do, refused


async def state(exchange: SmallExchange, number: int) -> str:
    return str((await do(exchange, lots.find, [number]))[number].state)


async def test_a_lot_that_was_cancelled_leaves_its_class_free(exchange: SmallExchange) -> None:
    (number,) = await do(exchange, pre_advice.pre_advise, ONE, bar_lists.declared(bars([{}])))
    await refused(exchange, "LOTS_THERE", customs.assign, ONE, "AU", "BONDED")
    await do(exchange, intake.cancel, ONE, number, "does not come")
    assert await state(exchange, number) == "CANCELLED"
    await do(exchange, customs.assign, ONE, "AU", "BONDED")
    assert await do(exchange, customs.of_classes, ["AU"]) == {"AU": "BONDED"}


async def test_lots_that_were_melted_into_one_that_left_leave_their_class_free(exchange: SmallExchange) -> None:
    numbers = await exchange.register([{"serial": "A"}, {"serial": "B"}])
    weight = MeltWeight("SCALE-1", parse_shown_weight("melt_g", "199.90"))
    child = await do(exchange, melting.combine, ONE, numbers, BarKey("XM1", "MELT-1", 0), weight)
    assert [await state(exchange, number) for number in (*numbers, child)] == ["CONSUMED", "CONSUMED", "MELTED"]
    await refused(exchange, "LOTS_THERE", customs.assign, ONE, "AU", "BONDED")
    await do(exchange, intake.reject, ONE, child, "not wanted")
    await refused(exchange, "LOTS_THERE", customs.assign, ONE, "AU", "BONDED")
    await exchange.approve(await do(exchange, intake.propose_return, ONE, child, "Depositor"))
    await do(exchange, customs.assign, ONE, "AU", "BONDED")
    assert await do(exchange, customs.of_classes, ["AU"]) == {"AU": "BONDED"}
