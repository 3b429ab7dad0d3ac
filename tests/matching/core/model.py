"""A brute-force model of the whole core: slow, plain, written from the rules and not from the code it checks.

It keeps one list of open orders, sorts it whenever it needs the best one, adds up the reservations of all orders
whenever it needs what is available, tries every price of an auction, and finds out whether a fill-or-kill order would
fill by trying it on a copy of everything. Where it and the core differ, one of them is wrong.
"""

import msgspec

from goldx.protocol import commands, events, terms, timetable_events, units
from goldx.protocol.commands import AnyCommand
from goldx.protocol.dangerous_terms import dangerous_terms
from goldx.protocol.events import AnyEvent
from goldx.protocol.limit_commands import LimitsSet
from tests.matching.core.model_auction import uncrossing
from tests.matching.core.model_busts import Busts
from tests.matching.core.model_claims import Claims
from tests.matching.core.model_notices import Notices
from tests.matching.core.model_parts import Account, Instrument, Member, Refused
from tests.matching.core.model_quotes import QuoteCommands
from tests.matching.core.model_retirement import Retirement
from tests.matching.core.model_rules import is_ahead, possible_days

Holding = tuple[int, int, int, int]
TERMS = [name for name in commands.InstrumentDefine.__struct_fields__ if name not in ("by", "given", "rules")]


class Model(Busts, Claims, Retirement, QuoteCommands, Notices):
    """The model. Here are what happens before and after every command, and the commands of the venue."""

    asked_to_end: tuple[str, str] = ("", "")
    """The next trading day that one person has proposed, and who."""
    before: dict[tuple[str, str], Holding]
    """The holdings before the command, as they were published last."""

    def apply(self, at: int, command: AnyCommand) -> list[AnyEvent]:
        self.at, self.out, self.touched, self.auctions = max(self.at, at), [], [], []
        self.before = self.holdings()
        self.time_passes()
        try:
            getattr(self, "do_" + command.method.replace(".", "_"))(command)
        except Refused as refusal:
            self.refuse(command, refusal)
        self.run_stops()
        self.indicate()
        self.report_holdings()
        return self.out

    def holdings(self) -> dict[tuple[str, str], Holding]:
        return {
            (account.name, asset): self.holding(account, asset)
            for account in self.accounts.values()
            for asset in account.total
        }

    def refuse(self, command: AnyCommand, refusal: Refused) -> None:
        if isinstance(command, commands.OrderPlace):
            about = command.account, command.client_order_id, command.symbol
            self.emit(events.OrderRejected, *about, refusal.reason, refusal.order_id)
        else:
            account = refusal.account or getattr(command, "account", None)
            if isinstance(command, LimitsSet):
                account = None  # a refusal that is for operators
            self.emit(events.CommandRejected, command.method, refusal.reason, account)

    def report_holdings(self) -> None:
        for name, asset in self.touched:
            now = self.holding(self.accounts[name], asset)
            if now != self.before.get((name, asset), (0, 0, 0, 0)):
                total, reserved, locked, kept = now
                self.emit(events.HoldingChanged, name, asset, total, reserved, locked or None, kept or None)

    def indicate(self) -> None:
        """Publish where the auctions would uncross now, if that has changed."""
        for instrument in list(self.auctions):
            symbol = instrument.terms.symbol
            if instrument.phase == terms.AUCTION:
                book = self.resting(symbol, terms.BUY) + self.resting(symbol, terms.SELL)
                found = uncrossing(book, instrument.reference) or (None, None)
                if found != instrument.indicated:
                    instrument.indicated = found
                    self.emit(events.AuctionIndicated, symbol, *found)

    # Time

    def time_passes(self) -> None:
        """Do what is due by now, before the command and earliest first."""
        while due := self.due():
            _, what, number, symbol = min(due)
            if symbol:
                self.end_interruption(self.instruments[symbol])
                self.run_stops()
            elif what == 5:
                self.publish(number)
            elif what in (2, 3, 4):
                self.request_is_due(what, number)
            elif what == 1:
                self.end_deal(next(d for d in self.deals if d.number == number), "EXPIRED")
            else:
                self.cancel(next(o for o in self.orders if o.order_id == number), "EXPIRED")

    def end_interruption(self, instrument: Instrument) -> None:
        """Trade on, unless the auction's price is further from the last price than the corridor is wide."""
        symbol, steps = instrument.terms.symbol, instrument.terms.reopening_steps or 0
        found = uncrossing(self.resting(symbol, terms.BUY) + self.resting(symbol, terms.SELL), instrument.reference)
        middle, bands = instrument.reopening
        percent = instrument.terms.dynamic_band_percent or 0
        if found is None or bands > steps or abs(found[0] - middle) * 100 <= middle * percent * bands:
            self.set_phase(instrument, terms.CONTINUOUS)
            return
        assert instrument.interrupted_until is not None
        instrument.interrupted_until += instrument.terms.interruption_ms
        instrument.reopening = (middle, bands + 1)
        allowed = [
            price for price in range(1, 3 * middle) if abs(price - middle) * 100 <= middle * percent * (bands + 1)
        ]
        limits = (allowed[0], allowed[-1]) if bands < steps else ()
        self.emit(events.AuctionExtended, symbol, instrument.interrupted_until, *limits)

    def due(self) -> list[tuple[int, int, int, str]]:
        """Return (when, what, number, symbol) of what is due.

        What comes first at one time: 0 an order, 1 a deal, 2 a quote whose session has ended, 3 the end of a grace, 4 a
        request, 5 the publication of a trade, 6 the end of an interruption.
        """
        expiries = [(o.expire_at, 0, o.order_id, "") for o in self.orders if o.expire_at is not None]
        deals = [(d.asked.expire_at, 1, d.number, "") for d in self.deals]
        publications = [(at, 5, number, "") for number, (at, _) in self.to_publish.items()]
        ends = [(i.interrupted_until, 6, 0, s) for s, i in self.instruments.items() if i.interrupted_until is not None]
        return [one for one in (*expiries, *deals, *publications, *ends, *self.due_requests()) if one[0] <= self.at]

    # Instruments

    def do_instrument_define(self, c: commands.InstrumentDefine) -> None:
        known = self.instruments.get(c.symbol)
        moved = False
        if known is not None and c.given is not None:
            in_force = msgspec.structs.replace(known.terms, reference_price=known.reference)
            c = msgspec.structs.replace(
                in_force, **{name: getattr(c, name) for name in c.given}, by=c.by, given=None, rules=c.rules
            )
            moved = known.reference is not None and c.reference_price != known.reference
        impossible = (
            moved
            or c.symbol == units.CASH
            or c.min_fineness > c.max_fineness
            or (c.tick * c.lot) % units.MG_PER_GRAM
            or (c.lower_price_limit or 0) > (c.upper_price_limit or units.MAX_PRICE_FEN)
        )
        if impossible:
            raise Refused("BAD_VALUE")
        symbols = [*(o.symbol for o in self.orders), *(deal.asked.symbol for deal in self.deals)]
        symbols += [request.asked.symbol for request in self.requests]
        if known is not None and (known.phase != terms.CLOSED or c.symbol in symbols):
            raise Refused("PHASE")
        if known is None or known.retired:
            self.check_new_business()
        if c.rules and self.takes_a_second_person(c, known):
            return
        self.proposed.pop(c.symbol, None)
        if known is None:
            known = self.instruments[c.symbol] = Instrument(c)
        known.terms, known.retired = c, False
        if c.reference_price is not None:
            known.reference = c.reference_price
        if (known.last or 0) % c.tick:
            known.last = None
        shown = msgspec.structs.replace(c, reference_price=known.reference)
        self.emit(events.InstrumentDefined, *(getattr(shown, name) for name in TERMS))

    def takes_a_second_person(self, c: commands.InstrumentDefine, known: Instrument | None) -> bool:
        after = {name: getattr(c, name) for name in TERMS[1:]}
        before = None if known is None else {name: getattr(known.terms, name) for name in TERMS[1:]}
        price = c.reference_price if known is None else known.last or known.reference
        others = [one.last or one.reference or 0 for symbol, one in self.instruments.items() if symbol != c.symbol]
        asked = dangerous_terms(before, after, price or 0, others, c.rules)
        first = self.proposed.get(c.symbol)
        if not asked or (first is not None and first[0] == after and first[1] != c.by):
            return False
        self.proposed[c.symbol] = (after, c.by)
        self.emit(events.InstrumentProposed, c.symbol, asked, c.by)
        return True

    def do_market_set_reference(self, c: commands.MarketSetReference) -> None:
        instrument = self.instrument(c.symbol)
        if instrument.retired:
            raise Refused("RETIRED")
        centre = instrument.last or instrument.reference
        inside = True
        if c.largest_change_percent is not None and centre is not None:
            inside = abs(c.price - centre) <= centre * c.largest_change_percent / 100
        if c.rules and centre is None:
            prices = [price for one in self.instruments.values() if (price := one.last or one.reference)]
            inside = not prices or any(price / 2 <= c.price <= price * 2 for price in prices)
        if not inside:
            price, first = instrument.proposed or (None, "")
            if price != c.price or first == c.by:
                instrument.proposed = (c.price, c.by)
                self.emit(events.ReferenceProposed, c.symbol, c.price, c.by)
                return
        instrument.proposed = None
        instrument.reference = c.price
        self.emit(events.ReferenceChanged, c.symbol, c.price)

    def do_market_set_phase(self, c: commands.MarketSetPhase) -> None:
        instrument = self.instrument(c.symbol)
        if instrument.retired:
            raise Refused("RETIRED")
        if instrument.phase == c.phase:
            raise Refused("PHASE")
        self.check_phase_of_regime(c.phase)
        self.check_opening(c.phase)
        self.set_phase(instrument, c.phase)

    def set_phase(self, instrument: Instrument, phase: int, planned_at: int | None = None) -> None:
        """Publish the phase; uncross if this ends an auction or begins trading; then trigger the stops reached."""
        previous = instrument.phase
        instrument.interrupted_until = None
        self.change_phase(instrument, phase, planned_at)
        if phase == terms.CONTINUOUS or (previous == terms.AUCTION and phase == terms.CLOSED):
            self.uncross(instrument)
        if phase == terms.CONTINUOUS and instrument.last is not None:
            self.trigger(instrument, [instrument.last])

    # The timetable

    def in_use(self, symbol: str) -> Instrument:
        instrument = self.instrument(symbol)
        if instrument.retired:
            raise Refused("RETIRED")
        return instrument

    def do_timetable_step(self, c: commands.TimetableStep) -> None:
        instrument = self.in_use(c.symbol)
        times, by = instrument.delayed
        due = c.planned_at + (by if c.planned_at in times else 0)
        halted = instrument.phase == terms.HALTED
        for wrong, reason in (
            (c.phase not in (terms.CLOSED, terms.PRE_OPEN, terms.AUCTION, terms.CONTINUOUS), "BAD_VALUE"),
            (c.planned_at <= instrument.planned_at, "STEP_TAKEN"),
            (self.at > c.latest_at, "TOO_LATE"),
            (self.at < due, "TOO_EARLY"),
            (instrument.held, "HELD"),
            (halted and c.phase != terms.CLOSED, "HALTED"),
        ):
            if wrong:
                raise Refused(reason)
        self.check_phase_of_regime(c.phase)
        self.check_opening(c.phase)
        instrument.planned_at = c.planned_at
        self.set_phase(instrument, c.phase, c.planned_at)
        if halted:
            instrument.held = True
            self.emit(timetable_events.TimetableHeld, c.symbol, True)

    def do_timetable_hold(self, c: commands.TimetableHold) -> None:
        instrument = self.in_use(c.symbol)
        if instrument.held is c.held:
            raise Refused("BAD_VALUE")
        instrument.held = c.held
        self.emit(timetable_events.TimetableHeld, c.symbol, c.held)

    def do_timetable_delay(self, c: commands.TimetableDelay) -> None:
        instrument = self.in_use(c.symbol)
        if c.first_at > c.last_at or not 0 <= c.delay_ms <= 24 * 3_600_000:
            raise Refused("BAD_VALUE")
        if c.first_at <= instrument.planned_at:
            raise Refused("STEP_TAKEN")
        instrument.delayed = (range(c.first_at, c.last_at + 1), c.delay_ms)
        self.emit(timetable_events.TimetableDelayed, c.symbol, c.first_at, c.last_at, c.delay_ms)

    # Accounts and members

    def do_account_open(self, c: commands.AccountOpen) -> None:
        if c.account in self.accounts:
            raise Refused("DUPLICATE_ID")
        owner = c.account if c.owner is None else c.owner
        self.check_client(owner)
        self.accounts[c.account] = Account(c.account, c.member, c.kind, owner)
        self.members.setdefault(c.member, Member())
        self.emit(events.AccountOpened, c.account, c.member, c.kind, owner)

    def member(self, name: str) -> Member:
        if name not in self.members:
            raise Refused("UNKNOWN_MEMBER")
        return self.members[name]

    def do_member_kill(self, c: commands.MemberKill) -> None:
        member = self.member(c.member)
        if member.killed:
            raise Refused("KILLED")
        member.killed = True
        self.emit(events.MemberKilled, c.member)
        self.cancel_each([o for o in self.orders if o.account.member == c.member], "KILL")
        self.end_deals(self.deals_of(c.member), "KILL")
        self.end_requests_of(c.member, "KILL")

    def do_member_halt(self, c: commands.MemberHalt) -> None:
        member = self.member(c.member)
        if member.killed:
            raise Refused("KILLED")
        if member.halted:
            raise Refused("HALTED")
        member.halted = True
        self.emit(events.MemberHalted, c.member)
        self.end_deals(self.deals_of(c.member), "HALT")
        self.end_requests_of(c.member, "HALT")

    def do_member_restore(self, c: commands.MemberRestore) -> None:
        member = self.member(c.member)
        if not member.killed and not member.halted:
            raise Refused("BAD_VALUE")
        member.killed = member.halted = False
        self.emit(events.MemberRestored, c.member)

    # The clock

    def do_clock_tick(self, c: commands.ClockTick) -> None:
        """Do nothing: the command only brings the time."""

    def do_market_end_day(self, c: commands.MarketEndDay) -> None:
        if c.rules or self.opening_demanded:
            if c.next_trading_day not in possible_days(self.at, self.trading_day, c.rules):
                raise Refused("BAD_VALUE")
            if any(instrument.phase != terms.CLOSED for instrument in self.instruments.values()):
                raise Refused("PHASE")
        elif c.next_trading_day <= self.trading_day:
            raise Refused("BAD_VALUE")
        (day, by), self.asked_to_end = self.asked_to_end, (c.next_trading_day, c.by)
        by_two = c.rules == 4 or (c.rules == 5 and is_ahead(self.at, self.trading_day))
        if by_two and (day != c.next_trading_day or by == c.by):
            self.emit(events.DayEndProposed, *self.asked_to_end)
            return
        self.asked_to_end = ("", "")
        self.begin_waiting(c.next_trading_day)
        self.trading_day = c.next_trading_day
        self.cancel_each([o for o in self.orders if o.time_in_force == terms.DAY], "EXPIRED")
        self.end_deals(self.deals, "EXPIRED")
        self.deal_ids = {name: used for name, used in self.deal_ids.items() if used[1] == self.day}
        for request in list(self.requests):
            self.end_request(request, "EXPIRED")
        self.rfq_ids = {name: used for name, used in self.rfq_ids.items() if used[1] == self.day}
        if c.rules >= 2:
            self.report_holdings()
            self.before, self.touched = self.holdings(), []
        self.day += 1
        self.references, self.older_references = [], self.references
        self.busted, self.asked_for = [], {}
        self.day_value = 0
        self.emit(events.DayEnded, c.next_trading_day)
        self.end_centralised()
        for account in self.accounts.values():
            account.unwithdrawable = 0
            taken = {o.client_order_id: o.order_id for o in self.orders if o.account is account}
            if c.rules:
                ended = self.day - 1
                taken |= {name: account.used_ids[name] for name, day in account.used_on.items() if day == ended}
            account.used_ids = taken
            # The older rules do not record when an id was used: all taken ids count as used today.
            account.used_on = {n: account.used_on[n] if c.rules else self.day for n in taken}
            for asset in account.total:
                self.touch(account, asset)
        self.proposed.clear()
        self.asked_regime = (None, "")
        self.begin_day_of_limits()
        for instrument in self.instruments.values():
            instrument.proposed = None
            instrument.delayed = (range(0), 0)
