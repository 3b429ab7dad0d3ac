"""Deals of named lots for the tests of settlement, as a gateway makes them: reserved first, then sent."""

from typing import Any

from msgspec.structs import replace

from goldx.protocol import terms
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import AccountOpen, MarketSetPhase, TradeBust, TradeTerms
from goldx.protocol.deal_commands import DealAccept, DealPropose
from settlement.custody import reservations
from settlement.custody.reservations import Move
from tests.settlement.custody.conftest import stocked
from tests.settlement.small_exchange import SmallExchange, do

FAR = 1 << 45
LOT_MG = 99_900
"""The fine weight of each lot of ``stocked``, whose receipts have the numbers 1 to 3."""
PRICE = 60_000


async def dealing(exchange: SmallExchange) -> None:
    """B.H and C.H can buy lots, of which A.H has three under the receipts 1 to 3."""
    await stocked(exchange)
    await exchange.engine_runner.run(
        AccountOpen("C.H", "C"), MarketSetPhase("AU", terms.CLOSED), MarketSetPhase("AU", terms.CONTINUOUS)
    )
    await exchange.pay_in("B.H", 10_000_000_000, "bank-b")
    await exchange.pay_in("C.H", 10_000_000_000, "bank-c")


def move(*numbers: int, seller: str = "A.H", buyer: str = "B.H", **more: Any) -> Move:
    return Move(seller, buyer, "AU", numbers, LOT_MG * len(numbers), **more)


async def keep(exchange: SmallExchange, wanted: Move, until: int = FAR) -> LotsFound:
    """Reserve lots as a gateway does, and return what it sends with the command."""
    number = await do(exchange, reservations.reserve, wanted, until)
    return LotsFound(tuple(wanted.receipts), wanted.fine_mg, number, until)


def sale(found: LotsFound, name: str = "d1", seller: str = "A.H", buyer: str = "B.H", **more: Any) -> DealPropose:
    """Return the proposal of a sale of lots that are kept for it."""
    what = (seller, name, buyer, "AU", terms.SELL, found.fine, PRICE, FAR)
    made: DealPropose = replace(DealPropose(*what, lots=found.lots, lots_found=found), **more)
    return made


def purchase(*numbers: int, name: str = "p1") -> DealPropose:
    """Return B.H's proposal to buy lots of A.H."""
    found = LotsFound(numbers, LOT_MG * len(numbers), 0, FAR)
    what = ("B.H", name, "A.H", "AU", terms.BUY, found.fine, PRICE, FAR)
    return DealPropose(*what, lots=numbers, lots_found=found)


async def sell(exchange: SmallExchange, *numbers: int, seller: str = "A.H", buyer: str = "B.H") -> int:
    """Sell lots by name, and return the number of the trade."""
    engine = exchange.engine_runner.engine
    found = await keep(exchange, move(*numbers, seller=seller, buyer=buyer))
    deal = engine.state.last_deal_id + 1
    await exchange.engine_runner.run(sale(found, f"d{deal}", seller, buyer), DealAccept(buyer, deal))
    await exchange.post()
    return engine.state.last_trade_id


async def annul(exchange: SmallExchange, given: TradeTerms, trade_id: int, found: LotsFound | None) -> None:
    """Annul a trade by two operators."""
    for by in ("ada", "ben"):
        await exchange.engine_runner.run(TradeBust(trade_id, "wrong lots", by, given, found))
    await exchange.post()
