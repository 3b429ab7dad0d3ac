"""Rare acts of members and operators: each leaves an event of a kind that a usual day does not have.

They come after the members' programs have stopped, so that nobody else trades: an iceberg order, a stop, a self-trade,
a volatility interruption with a ladder, an annulled trade, refusals; a negotiated deal, one that is declined, and one
of a named lot; a request for quotes; a market maker whose protection cancels its mass quotes; a payment that the bank
takes back when it has been spent; a notice that members acknowledge; an instrument and an account that come and go, a
member that is killed and halted.
"""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from goldx.client.keys import Key
from goldx.client.results import OfRequest
from goldx.demo import bank, scenario
from goldx.demo.informed_member import DEAL_MS, GRAMS, InformedMember, firm_of, informed_member
from goldx.demo.record import SessionRecord
from goldx.demo.shell import Shell
from goldx.demo.staff import Operator, Rest, StaffFailed, wait_until
from goldx.protocol import units

BEYOND_THE_BAND: Final = 1_025
"""The price that starts an interruption, in thousandths of the last one; the band is 2 %."""
BEYOND_THE_LIMIT: Final = 1_500


async def perform(
    url: str, folder: Path, shell: Shell, operator: Operator, second: Operator
) -> tuple[list[SessionRecord], OfRequest]:
    """Perform all of them; return the members' records and an accepted request. ``second`` is another operator.

    ``folder``: the data directory, with the keys in it.
    """
    keys = folder / "keys"
    async with AsyncExitStack() as stack:
        seller = await stack.enter_async_context(informed_member(url, keys, scenario.SELLER))
        buyer = await stack.enter_async_context(informed_member(url, keys, scenario.BUYER))
        maker = await stack.enter_async_context(informed_member(url, keys, scenario.QUOTER))
        (jeweller_account,) = scenario.JEWELLER.cash
        jeweller = await stack.enter_async_context(informed_member(url, keys, jeweller_account))
        for instrument in scenario.INSTRUMENTS:
            if await buyer.is_in_the_book(instrument["symbol"]):
                await operator.command("market.cancel_orders", symbol=instrument["symbol"])
        await _interrupt(seller, buyer)
        trade = await _trade(seller, buyer)
        for person in (operator, second):
            await person.command("trade.bust", trade_id=trade, reason="a mistyped quantity")
        await _deal(seller, buyer)
        papers = [
            await stack.enter_async_context(Rest(url, Key.load(keys / f"{firm_of(member.record.account).code}.pem")))
            for member in (seller, buyer)
        ]
        await _deal_of_a_lot(seller, buyer, *papers)
        accepted = await _ask(buyer, seller, maker)
        await _protect(seller, buyer)
        await bank.pay_and_take_back(shell, folder, jeweller, maker)
        await _limit(operator, second, buyer)
        await _inform(operator, seller, buyer)
        await _decide(operator, second)
        await wait_until(lambda: _is_continuous(buyer), "the interruption to end")
        members = (seller, buyer, maker, jeweller)
        for member in members:
            await member.cancel_all()
            await member.read_all()
        return [member.record for member in members], accepted


async def _is_continuous(member: InformedMember) -> bool:
    return bool((await member.market(scenario.INTERRUPTED))["phase"] == "continuous")


async def _interrupt(seller: InformedMember, buyer: InformedMember) -> None:
    """Start an interruption, which is extended once, by a price outside the band."""
    price = await buyer.last_price(scenario.INTERRUPTED) * BEYOND_THE_BAND // 1_000
    await seller.place(scenario.INTERRUPTED, "sell", price, GRAMS)
    await buyer.place(scenario.INTERRUPTED, "buy", price, GRAMS)


async def _trade(seller: InformedMember, buyer: InformedMember) -> int:
    """Trade with an iceberg and a stop, prevent a self-trade, have orders refused; return the id of a trade."""
    symbol = scenario.WITHDRAWN_SYMBOL
    price = await buyer.last_price(symbol)
    await seller.place(symbol, "sell", price, "4", display_quantity="1")
    trades = await buyer.place(symbol, "buy", price, "2")
    await buyer.place(symbol, "buy", None, GRAMS, stop_price=units.format_price(price))
    await buyer.place(symbol, "sell", price, GRAMS)
    await buyer.place(symbol, "buy", price, "2")
    too_high = units.format_price(price * BEYOND_THE_LIMIT // 1_000)
    order = {"client_order_id": "rare-refused", "symbol": symbol, "side": "buy", "type": "limit", "quantity": GRAMS}
    await buyer.is_refused("order.place", **order, price=too_high)
    await seller.is_refused("order.cancel", client_order_id="never-placed")
    return trades[0]


async def _deal(seller: InformedMember, buyer: InformedMember) -> None:
    """Agree on a deal and decline another."""
    symbol = scenario.WITHDRAWN_SYMBOL
    price = units.format_price(await buyer.last_price(symbol))
    await buyer.accept(await seller.propose(buyer, symbol, price))
    await buyer.decline(await seller.propose(buyer, symbol, price))


async def _deal_of_a_lot(seller: InformedMember, buyer: InformedMember, of_seller: Rest, of_buyer: Rest) -> None:
    """Sell the lightest lot by name that the seller has free, and wait until its receipt is the buyer's.

    Raises StaffFailed if the seller has none.
    """
    available = await seller.available()
    receipts = (await of_seller.get("/v1/receipts"))["receipts"]
    weights = [(units.parse_weight(one["fine"], "fine"), one) for one in receipts if one["free"]]
    fitting = [(fine_mg, one) for fine_mg, one in weights if fine_mg <= available.get(one["symbol"], 0)]
    if not fitting:
        raise StaffFailed(f"{seller.record.account} has none of its {len(receipts)} lots to sell by name")
    _, receipt = min(fitting, key=lambda found: found[0])
    price = units.format_price(await seller.last_price(receipt["symbol"]))
    await buyer.accept(await seller.offer_lot(buyer, receipt, price))

    async def moved() -> bool:
        held = (await of_buyer.get("/v1/receipts"))["receipts"]
        return receipt["receipt_no"] in [one["receipt_no"] for one in held]

    await wait_until(moved, "the receipt of a named lot to be its buyer's")


async def _ask(asker: InformedMember, *quoters: InformedMember) -> OfRequest:
    """Ask for quotes, get one of each quoter, each a fen dearer than the one before, and accept all at one price.

    They trade once the asker sees them, as the grace of the request is over. Another request is taken back.
    """
    symbol = scenario.WITHDRAWN_SYMBOL
    price = await asker.last_price(symbol)
    number = await asker.ask(symbol, str(len(quoters)))
    for dearer, quoter in enumerate(quoters):
        await quoter.quote(number, price + dearer, GRAMS)

    async def sees_all() -> bool:
        return await asker.quotes(number) == len(quoters)

    await wait_until(sees_all, "the grace of a request to end")
    accepted = await asker.take(number, price + len(quoters))
    number = await asker.ask(symbol, GRAMS)
    await quoters[0].quote(number, price, GRAMS)
    await asker.request("rfq.cancel", rfq_id=number)
    return accepted


async def _protect(maker: InformedMember, buyer: InformedMember) -> None:
    """Take more from a maker's quotes than it has set as the limit of their group. Raises StaffFailed if all trade."""
    symbol, group = scenario.WITHDRAWN_SYMBOL, "demonstration"
    price = await buyer.last_price(symbol)
    for member in (maker, buyer):
        await member.cancel_all(symbol)  # the interruption of another instrument goes on
    await maker.request("quote.set_protection", group=group, window_ms=DEAL_MS, max_quantity=GRAMS)
    ask = {"symbol": symbol, "ask_price": units.format_price(price), "ask_quantity": GRAMS}
    await maker.request("quote.mass", group=group, quotes=[{**ask, "level": level} for level in (1, 2, 3)])
    trades = await buyer.place(symbol, "buy", price, "3")
    if len(trades) != 1:
        raise StaffFailed(f"{len(trades)} quotes of a group traded whose limit the first one reached")
    await maker.request("quote.reset_protection", group=group)


async def _limit(operator: Operator, second: Operator, buyer: InformedMember) -> None:
    """Limit the orders of a member, which has one refused for it; then two operators take the limit away."""
    symbol = scenario.WITHDRAWN_SYMBOL
    member = firm_of(buyer.record.account).code
    await operator.command("limits.set", member=member, max_order_quantity=GRAMS)
    price = units.format_price(await buyer.last_price(symbol))
    order = {"client_order_id": "rare-limited", "symbol": symbol, "side": "buy", "type": "limit", "quantity": "2"}
    await buyer.is_refused("order.place", **order, price=price)
    for person in (operator, second):
        await person.command("limits.set", member=member)


async def _inform(operator: Operator, *members: InformedMember) -> None:
    """Publish a notice, which these members acknowledge."""
    text = {"title": "The day closes early", "text": "Trading ends when this demonstration does."}
    text |= {"title_zh": "提前收市", "text_zh": "演示结束时交易即告结束。"}
    await operator.command("notice.publish", **text, to_acknowledge=True)
    for member in members:
        (newest,) = (await member.call("notice.list", limit=1))["notices"]
        await member.request("notice.acknowledge", notice_id=newest["notice_id"])


async def _decide(operator: Operator, second: Operator) -> None:
    """Decisions of the venue: an instrument and an account that come and go, a timetable, a member's standing."""
    new = scenario.SHORT_LIVED["symbol"]
    for person in (operator, second):
        await person.command("instrument.define", **scenario.SHORT_LIVED)
    for person in (operator, second):
        await person.command("market.set_reference", symbol=new, price="800.00")
    await operator.command("timetable.delay", symbol=new, first_at=1, last_at=2, delay_ms=60_000)
    for held in (True, False):
        await operator.command("timetable.hold", symbol=new, held=held)
    await operator.command("instrument.retire", symbol=new)
    visitor = scenario.VISITOR.code
    await operator.command("account.open", account=f"{visitor}.SHORT", member=visitor, kind="house")
    await operator.command("account.retire", account=f"{visitor}.SHORT")
    for method in ("member.kill", "member.restore", "member.halt", "member.restore"):
        await operator.command(method, member=visitor)
