"""Every invariant of the core's state, checked from scratch: what can be counted is counted.

Queues and links, level totals, cached best prices, look-ups by id, stops and timetable; reservations equal to exactly
what the open orders could use; nothing negative; no book crossed while it trades. ``Conservation`` holds money and
metal against what came in.
"""

from collections import Counter

from goldx.protocol import events, terms, units
from goldx.protocol.events import AnyEvent
from matching.core import fees
from matching.core.engine import Engine
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.open_quotes import of_level
from matching.core.orders import Order
from matching.core.rfq import OpenRfqQuote
from matching.core.state import DEALS, GRACE_ENDS, LEAVING, REQUESTS, UNPUBLISHED, State
from tests.amounts import money_of, value_of


def validate(engine: Engine) -> None:
    """Check all invariants of a core's state. Raises AssertionError."""
    state = engine.state
    assert not state.events, "events of a command are left over"
    assert not state.triggered, "triggered stops are left over"
    resting: set[int] = set()
    waiting: set[int] = set()
    for instrument in state.instruments.values():
        for side in (terms.BUY, terms.SELL):
            resting |= check_side(state, instrument, side)
            waiting |= check_stops(state, instrument, side)
        check_crossing(instrument)
        assert instrument.extensions <= instrument.reopening_steps
        assert not instrument.reopening_centre or instrument.interrupted_until, (
            f"{instrument.symbol}: a corridor is left"
        )
        assert instrument.planned_at <= state.now, f"{instrument.symbol}: a step was taken before its time"
    assert resting.isdisjoint(waiting)
    assert not {id(order) for order in state.free_orders} & {id(order) for order in state.orders.values()}
    assert len({id(order) for order in state.free_orders}) == len(state.free_orders), "an order is done twice"
    assert set(state.orders) == resting | waiting, "every open order is in a book or waits as a stop"
    assert list(state.orders) == sorted(state.orders)
    check_timetable(state)
    check_regime(state)
    check_protections(state)
    check_levels(state)
    assert all(0 < number <= state.last_trade_id for number in (*state.busted, *state.bust_proposals))
    assert state.busted.keys().isdisjoint(state.bust_proposals), "a trade is annulled and proposed"
    assert state.fees_collected >= 0
    for order in state.orders.values():
        check_order(order)
    check_deals(state)
    check_requests(state)
    check_limits(state)
    for account in state.accounts.values():
        check_account(state, account)
        check_claims(state, account)


def check_side(state: State, instrument: Instrument, side: int) -> set[int]:
    book = instrument.own(side)
    ranks = [*book.far, *book.near]
    expected = sorted(book.levels) if side == terms.BUY else sorted(-price for price in book.levels)
    assert ranks == expected, f"{instrument.symbol}: the sorted prices are not those of the levels"
    assert book.near or not book.far
    best = abs(ranks[-1]) if ranks else None
    assert (book.best.price if book.best is not None else None) == best, f"{instrument.symbol}: the best is not best"
    found: set[int] = set()
    for price, level in book.levels.items():
        assert level.price == price
        assert level.side is book
        assert book.best is not None
        assert price != book.best.price or level is book.best
        order, previous, total = level.head, None, 0
        assert order is not None, f"{instrument.symbol}: an empty level stands at {price}"
        while order is not None:
            assert order.previous is previous
            assert order.level is level
            assert order.price == price
            assert order.side == side
            assert order.instrument is instrument
            assert state.orders.get(order.order_id) is order, "a resting order is not among the open ones"
            assert order.special is None or not order.special.market
            found.add(order.order_id)
            total += order.remaining
            previous, order = order, order.next
        assert level.tail is previous
        assert level.quantity == total, f"{instrument.symbol}: level {price} says {level.quantity}, has {total}"
    return found


def check_stops(state: State, instrument: Instrument, side: int) -> set[int]:
    found = set()
    for price, number in instrument.stops(side):
        order = state.orders[number]
        assert order.special is not None
        assert order.special.pending
        assert order.special.stop_price == price
        assert order.side == side
        assert order.instrument is instrument
        assert order.level is None
        if instrument.phase == terms.CONTINUOUS and instrument.last:
            reached = instrument.last >= price if side == terms.BUY else instrument.last <= price
            assert not reached, f"stop {number} at {price} waits though the last price is {instrument.last}"
        found.add(number)
    return found


def check_crossing(instrument: Instrument) -> None:
    bid, ask = instrument.bids.best, instrument.asks.best
    if instrument.phase == terms.CONTINUOUS and bid is not None and ask is not None:
        assert bid.price < ask.price, f"{instrument.symbol} is crossed: {bid.price} bid, {ask.price} asked"


def check_timetable(state: State) -> None:
    timed = {(o.special.expire_at, number) for number, o in state.orders.items() if o.special and o.special.expire_at}
    assert timed <= {(time, number) for time, number, _ in state.timetable}, "a GTD order would never expire"
    assert all(time > state.now for time, _ in timed), "a GTD order has outlived its time"
    for symbol, instrument in state.instruments.items():
        if instrument.interrupted_until:
            assert instrument.phase == terms.AUCTION
            assert any((t, s) == (instrument.interrupted_until, symbol) for t, _, s in state.timetable)
    if state.timetable:
        assert state.next_due <= min(state.timetable)[0]


def check_order(order: Order) -> None:
    instrument = order.instrument
    assert 0 < order.remaining <= order.quantity
    assert order.remaining % instrument.lot == 0
    first = order.account.ids.find(order.client_order_id)
    assert first == order.order_id, "an open order is not found by its client id"
    buying = order.side == terms.BUY
    assert order.balance is order.account.balances[units.CASH if buying else instrument.symbol]
    special = order.special
    if special is not None and special.display and not special.pending:
        assert 0 < special.shown <= min(special.display, order.remaining), f"slice of {order.order_id}"
    assert -5_000 <= order.residue < 5_000
    if order.side == terms.SELL:
        assert order.reserved == order.remaining
    elif special is not None and special.market:
        assert order.reserved == 0
    else:
        amount = money_of(order.price, order.remaining)
        highest = max(instrument.maker_fee, instrument.taker_fee)
        assert order.reserved == amount + fees.fee(order.residue, amount, highest), f"reservation of {order.order_id}"


def check_deals(state: State) -> None:
    """Check the proposed deals: what they reserve, that they end in time, and what can be found by a key."""
    timed = {(time, number) for time, number, _ in state.timetable}
    assert list(state.deals) == sorted(state.deals)
    for number, deal in state.deals.items():
        assert 0 < number == deal.deal_id <= state.last_deal_id
        assert state.deal_ids[deal.account.name, deal.client_deal_id][0] == number
        assert (deal.expire_at, DEALS + number) in timed, "a deal would never expire"
        assert deal.expire_at > state.now, "a deal has outlived its time"
        assert deal.account.owner != deal.counter_account.owner
        buying = deal.side == terms.BUY
        assert deal.balance is deal.account.balances[units.CASH if buying else deal.instrument.symbol]
        assert len(set(deal.lots)) == len(deal.lots) <= terms.MAX_NAMED_LOTS
        assert deal.lots or not deal.quantity % deal.instrument.lot
        amount = value_of(deal.price, deal.quantity)
        cost = amount + fees.fee(0, amount, deal.instrument.taker_fee)
        assert deal.reserved == (cost if buying else deal.quantity), f"reservation of deal {number}"
    for symbol, instrument in state.instruments.items():
        open_deals = [deal for deal in state.deals.values() if deal.instrument is instrument]
        assert instrument.open_deals == len(open_deals), f"{symbol}: the number of open deals"
    for number, (at, _) in state.unpublished.items():
        assert at > state.now, "a trade was not published"
        assert (at, UNPUBLISHED + number) in timed, "a trade would never be published"
        assert number not in state.busted


def check_limits(state: State) -> None:
    """Check that the open orders of members with limits are counted, and that other members have the fast path."""
    owners = [order.account.name for order in state.orders.values()]
    owners += [deal.account.name for deal in state.deals.values()]
    owners += [name for request in state.requests.values() for name in request.quotes]
    opened = Counter(owners)
    for account in state.accounts.values():
        assert (account.usage is None) == (account.member.counted_after is None)
        assert account.general == (account.usage is not None or bool(account.refusal) or account.owed > 0)
        assert all(balance.usage is account.usage for balance in account.balances.values())
        if account.usage is not None:
            assert account.usage.open_orders == opened[account.name], f"{account.name}: the number of open orders"
            gold = sum(balance.reserved for asset, balance in account.balances.items() if asset != units.CASH)
            assert (account.usage.reserved_cash, account.usage.reserved_gold) == (account.cash.reserved, gold)
            assert account.usage.whole is account.member.usage
        else:
            assert account.limits is None
            assert account.member.limits is None

    for member in state.members.values():
        parts = [account.usage for account in member.accounts if account.usage is not None]
        assert (member.usage is None) == (member.counted_after is None)
        if member.usage is not None:
            for name in ("open_orders", "paid", "sold", "reserved_cash", "reserved_gold"):
                assert getattr(member.usage, name) == sum(getattr(part, name) for part in parts), (
                    f"{member.name}: {name}"
                )


def check_requests(state: State) -> None:
    """Check the requests for quotes: what their quotes reserve, that all end in time, and what is counted."""
    timed = {(time, number) for time, number, _ in state.timetable}
    assert list(state.requests) == sorted(state.requests)
    quotes = [quote for request in state.requests.values() for quote in request.quotes.values()]
    for number, request in state.requests.items():
        assert 0 < number == request.rfq_id <= state.last_rfq_id
        assert state.rfq_ids[request.account.name, request.client_rfq_id][0] == number
        assert request.expire_at > state.now, "a request has outlived its time"
        assert (request.expire_at, REQUESTS + number) in timed, "a request would never expire"
        assert request.grace_until <= state.now or (request.grace_until, GRACE_ENDS + number) in timed
        assert not request.account.refusal
        numbers = [quote.quote_id for quote in request.quotes.values()]
        assert numbers == sorted(numbers)
        for name, quote in request.quotes.items():
            assert (quote.account.name, quote.request) == (name, request)
            check_quote(quote)
    for quote in quotes:
        assert quote.leaves == (quote.quote_id in state.leaving)
        assert not quote.leaves or (quote.firm_until, LEAVING + quote.quote_id) in timed, "a quote would never leave"
        assert not quote.leaves or quote.firm_until > state.now, "a quote should have left"
    assert len({quote.quote_id for quote in quotes}) == len(quotes)
    assert all(quote in quotes for quote in state.leaving.values()), "a quote that is over would leave"
    for member in state.members.values():
        asked = [request for request in state.requests.values() if request.account.member is member]
        assert member.open_requests == len(asked) <= terms.MAX_OPEN_REQUESTS
        given = [quote for quote in quotes if quote.account.member is member]
        assert member.open_rfq_quotes == len(given) <= terms.MAX_OPEN_RFQ_QUOTES
    for symbol, instrument in state.instruments.items():
        of_symbol = [request for request in state.requests.values() if request.instrument is instrument]
        assert instrument.open_requests == len(of_symbol), f"{symbol}: the number of open requests"


def check_quote(quote: OpenRfqQuote) -> None:
    request = quote.request
    assert not quote.account.refusal
    assert request.asks(quote.account.member)
    assert quote.quote_id > 0
    assert 0 < quote.quantity <= request.quantity
    assert not quote.all_or_none or quote.quantity == request.quantity
    assert min(request.grace_until + terms.RFQ_FIRM_MS, request.expire_at) <= quote.firm_until <= request.expire_at
    buying = request.side == terms.SELL
    assert quote.balance is quote.account.balances[units.CASH if buying else request.instrument.symbol]
    amount = money_of(quote.price, quote.quantity)
    cost = amount + fees.fee(0, amount, request.instrument.taker_fee)
    assert quote.reserved == (cost if buying else quote.quantity), f"reservation of quote {quote.quote_id}"


def check_account(state: State, account: Account) -> None:
    assert account.balances[units.CASH] is account.cash
    reserved: Counter[str] = Counter()
    for order in state.orders.values():
        if order.account is account:
            reserved[units.CASH if order.side == terms.BUY else order.instrument.symbol] += order.reserved
    for deal in state.deals.values():
        if deal.account is account:
            reserved[units.CASH if deal.side == terms.BUY else deal.instrument.symbol] += deal.reserved
    for request in state.requests.values():
        for quote in request.quotes.values():
            if quote.account is account:
                reserved[units.CASH if request.side == terms.SELL else request.instrument.symbol] += quote.reserved
    for asset, balance in account.balances.items():
        where = f"{account.name} {asset}"
        assert balance.reserved == reserved[asset], f"{where}: reserved is not what is open could use"
        assert balance.reserved >= 0
        assert balance.total - balance.locked - balance.reserved >= 0, f"{where}: below zero"
        assert balance.locked == sum((balance.locks or {}).values()) >= 0
        assert balance.unwithdrawable >= 0
        assert (balance.total, balance.reserved) == (balance.published_total, balance.published_reserved)
    assert all(0 < number <= state.last_order_id for _, number in account.ids.items())


def check_claims(state: State, account: Account) -> None:
    """Check the sum of the claims on an account, and that nothing is open by which it could buy while there are any."""
    assert account.owed == sum(account.claims.values())
    assert all(amount > 0 for amount in account.claims.values())
    if account.owed:
        assert not [o for o in state.orders.values() if o.account is account and o.side == terms.BUY]
        assert not [deal for deal in state.deals.values() if deal.account is account and deal.side == terms.BUY]
        for request in state.requests.values():
            assert request.account is not account or request.side == terms.SELL
            assert account.name not in request.quotes or request.side == terms.BUY


def check_regime(state: State) -> None:
    """Check what follows from the regime; under one without the order book nothing is open."""
    regime = state.regime
    assert 0 <= state.day_value <= state.total_value
    for instrument in state.instruments.values():
        days = 0 if regime is None else regime.hold_days
        assert instrument.lock_days == max(instrument.definition.resale_lock_days, days)
        guarded = regime is not None and regime.kind != terms.APPROVED
        assert instrument.guarded == (guarded or bool(instrument.definition.max_holders))
        if regime is not None and not regime.allows(terms.ORDER_BOOK, state.trading_day):
            assert not state.orders, "an order is open under a regime without the order book"
            assert instrument.phase in (terms.CLOSED, terms.HALTED)


def check_levels(state: State) -> None:
    """Check that every side of mass quotes is found by its level, and that there is one at most."""
    found: dict[tuple[str, str, int, int], Order] = {}
    for order in state.orders.values():
        if order.special is not None and order.special.level:
            key = (order.account.name, order.instrument.symbol, order.special.level, order.side)
            assert key not in found, f"two orders at {key}"
            found[key] = order
            assert of_level(state, order.account, *key[1:]) is order
    levels = [slots for account in state.accounts.values() for slots in account.levels.values()]
    known = [number for slots in levels for number in slots.values() if number in state.orders]
    assert sorted(known) == sorted(order.order_id for order in found.values())


def check_protections(state: State) -> None:
    """Check the sums of the groups of quotes; a group that has reached a limit has no open quote."""
    for order in state.orders.values():
        special = order.special
        is_quote = special is not None and special.quote_id is not None
        group = "" if special is None else special.group
        assert is_quote == bool(group), f"order {order.order_id} is a quote without a group, or no quote in one"
        limits = order.account.member.protections.get(group)
        assert limits is None or not limits.frozen, f"quote {order.order_id} is open in {group}, which is frozen"
    for member in state.members.values():
        for group, limits in member.protections.items():
            times = [time for time, _, _ in limits.trades]
            assert times == sorted(set(times)), f"{group}: the trades are not in order"
            assert limits.bought == sum(bought for _, bought, _ in limits.trades)
            assert limits.sold == sum(sold for _, _, sold in limits.trades)
            traded = sum(limits.within(state.now))  # a net limit may be passed as older trades leave the window
            assert limits.frozen or not limits.max_quantity or traded < limits.max_quantity, f"{group}: beyond it"


class Conservation:
    """The conservation of money and gold: all accounts hold what was put in, less the fees collected."""

    def __init__(self) -> None:
        self.came_in: Counter[str] = Counter()

    def read(self, found: list[AnyEvent]) -> None:
        for event in found:
            if isinstance(event, events.HoldingAdjusted):
                self.came_in[event.asset] += event.amount
            elif isinstance(event, events.HoldingSettled):
                for leg in event.legs:
                    self.came_in[leg.asset] += leg.amount

    def check(self, engine: Engine) -> None:
        held: Counter[str] = Counter({units.CASH: engine.state.fees_collected})
        for account in engine.state.accounts.values():
            for asset, balance in account.balances.items():
                held[asset] += balance.total
        for asset in held.keys() | self.came_in.keys():
            assert held[asset] == self.came_in[asset], f"{asset}: {self.came_in[asset]} came in, {held[asset]} is there"
