"""The model's commands of market makers: quotes, and the limits of groups of them."""

from goldx.protocol import commands, events, terms
from goldx.protocol.quote_commands import MassEntry, QuoteMass, QuoteResetProtection, QuoteSetProtection
from goldx.protocol.quote_events import ProtectionReset, ProtectionSet
from tests.matching.core.model_limits import check_side
from tests.matching.core.model_orders import OrderCommands
from tests.matching.core.model_parts import Account, Instrument, Order, Refused
from tests.matching.core.model_protection import Limits
from tests.matching.core.model_rules import could_use

LONGEST_WINDOW_MS = 3_600_000
LARGEST = 10**12


class QuoteCommands(OrderCommands):
    def do_quote_set(self, c: commands.QuoteSet) -> None:
        if c.symbol not in self.instruments:
            raise Refused("UNKNOWN_SYMBOL")
        instrument, account = self.instruments[c.symbol], self.account(c.account)
        self.check_permission(account)
        self.check_regime()
        names = f"{c.quote_id}/bid", f"{c.quote_id}/ask"
        if names[0] in account.used_ids:
            raise Refused("DUPLICATE_ID")
        group = c.group or c.symbol
        if self.is_frozen(account, group):
            raise Refused("PROTECTION")
        self.check_phase(instrument, terms.LIMIT, terms.DAY, False)
        for price in (c.bid_price, c.ask_price):
            self.check_price(instrument, price)
        if c.bid_price >= c.ask_price:
            raise Refused("BAD_PRICE")
        for quantity in (c.bid_quantity, c.ask_quantity):
            self.check_quantity(instrument, quantity)
        old = self.live_quote(account, c.symbol)
        sides = []
        wanted = ((terms.BUY, c.bid_price, c.bid_quantity), (terms.SELL, c.ask_price, c.ask_quantity))
        for name, (side, price, quantity) in zip(names, wanted, strict=True):
            order = Order(0, account, name, c.symbol, side, terms.LIMIT, price, quantity, terms.DAY)
            order.remaining, order.session, order.quote_id = quantity, c.session, c.quote_id
            order.group = group
            sides.append(order)
        for order in sides:
            self.check_guards(order, instrument)
        self.check_claims(account, terms.BUY)
        freed = [sum(could_use(o, instrument)[1] for o in old if o.side == order.side) for order in sides]
        for order in sides:
            check_side(self, order, [one for one in old if one.side == order.side], 2 - len(old))
        for order, of_side in zip(sides, freed, strict=True):
            self.check_funds(order, of_side)
        for order in sorted(old, key=lambda o: o.side):
            self.cancel(order, "REPLACED")
        for order in sides:
            order.order_id = self.last_order_id + 1
            if self.is_frozen(account, group):  # the bid has reached a limit
                self.place_aside(order)
                self.cancel(order, "PROTECTION", group)
            else:
                self.accept(order)

    def live_quote(self, account: Account, symbol: str) -> list[Order]:
        return [o for o in self.live_sides(account, symbol) if not o.level]

    def live_sides(self, account: Account, symbol: str) -> list[Order]:
        return [o for o in self.orders if o.account is account and o.symbol == symbol and o.quote_id is not None]

    def do_quote_cancel(self, c: commands.QuoteCancel) -> None:
        if c.symbol not in self.instruments:
            raise Refused("UNKNOWN_SYMBOL")
        live = self.live_sides(self.account(c.account), c.symbol)
        if not live:
            raise Refused("UNKNOWN_ORDER")
        self.cancel_each(live, "USER")

    # Mass quotes

    def do_quote_mass(self, c: QuoteMass) -> None:
        """Check the entries one by one and take out what each replaces; then let all new orders enter."""
        account = self.account(c.account)
        new: list[Order] = []
        done: set[tuple[str, int]] = set()
        for entry in c.quotes:
            try:
                if entry.symbol not in self.instruments:
                    raise Refused("UNKNOWN_SYMBOL")
                if (entry.symbol, entry.level) in done:
                    raise Refused("BAD_VALUE")
                changes = self.level_changes(account, c, entry)
            except Refused as refusal:
                self.emit(events.CommandRejected, c.method, refusal.reason, c.account)
                if refusal.reason in ("MEMBER_LIMIT", "CLAIM"):
                    self.make_smaller(account, c, entry)
                continue
            done.add((entry.symbol, entry.level))
            for old, wanted in changes:
                new += self.change_side(old, wanted, c.session)
        for order in new:
            order.order_id = self.last_order_id + 1
            order.client_order_id = f"mass/{order.order_id}"
            self.coming.remove(order)
            if self.is_frozen(account, order.group):
                self.place_aside(order)
                self.cancel(order, "PROTECTION", order.group)
            else:
                self.accept(order)

    def level_changes(self, account: Account, c: QuoteMass, entry: MassEntry) -> list[tuple[Order | None, Order | int]]:
        """Return, for each side that the entry mentions, the order that is there and what is to be there.

        That is a new order, or the quantity that is left of the old one. Raises Refused.
        """
        if not 1 <= entry.level <= 10:
            raise Refused("BAD_VALUE")
        group = c.group or entry.symbol
        instrument = self.instruments[entry.symbol]
        of_level = [o for o in self.live_sides(account, entry.symbol) if o.level == entry.level]
        changes: list[tuple[Order | None, Order | int]] = []
        prices: dict[int, int] = {o.side: o.price or 0 for o in of_level}
        for side, price, quantity in (
            (terms.BUY, entry.bid_price, entry.bid_quantity),
            (terms.SELL, entry.ask_price, entry.ask_quantity),
        ):
            old = next((o for o in of_level if o.side == side), None)
            if quantity is None:
                continue
            if quantity == 0:
                prices.pop(side, None)
                changes.append((old, 0))
            elif old is not None and (old.price, old.group) == (price, group) and quantity <= old.remaining:
                changes.append((old, quantity))
            else:
                order = Order(0, account, "", entry.symbol, side, terms.LIMIT, price or 0, quantity, terms.DAY)
                order.remaining, order.session, order.group = quantity, c.session, group
                order.quote_id, order.level = f"mass/{entry.level}", entry.level
                prices[side] = price or 0
                changes.append((old, order))
        self.check_level(account, instrument, group, changes, prices)
        return changes

    def check_level(
        self,
        account: Account,
        instrument: Instrument,
        group: str,
        changes: list[tuple[Order | None, Order | int]],
        prices: dict[int, int],
    ) -> None:
        """Refuse an entry that places or reduces something where that is not possible."""
        sizes = [wanted if isinstance(wanted, int) else wanted.quantity for _, wanted in changes]
        stays = [isinstance(wanted, int) and (old is None or wanted in (0, old.remaining)) for old, wanted in changes]
        if all(stays):
            return
        self.check_permission(account)
        self.check_regime()
        if self.is_frozen(account, group):
            raise Refused("PROTECTION")
        self.check_phase(instrument, terms.LIMIT, terms.DAY, False)
        orders = [(old, wanted) for old, wanted in changes if not isinstance(wanted, int)]
        for _, order in orders:
            self.check_price(instrument, order.price or 0)
        if prices.get(terms.BUY) and prices.get(terms.SELL) and prices[terms.BUY] >= prices[terms.SELL]:
            raise Refused("BAD_PRICE")
        for quantity, is_same in zip(sizes, stays, strict=True):
            if not is_same:
                self.check_quantity(instrument, quantity)
        for _, order in orders:
            self.check_guards(order, instrument)
        for _, order in orders:
            self.check_claims(account, order.side)
        more = sum((0 if wanted == 0 else 1) - (old is not None) for old, wanted in changes)
        for old, order in orders:
            check_side(self, order, [] if old is None else [old], more)
        for old, order in orders:
            self.check_funds(order, 0 if old is None else could_use(old, instrument)[1])

    def make_smaller(self, account: Account, c: QuoteMass, entry: MassEntry) -> None:
        """Cancel or reduce what an entry asks to, which no limit stops even if it stops the other side."""
        for order in self.live_sides(account, entry.symbol):
            price, quantity = entry.bid_price, entry.bid_quantity
            if order.side == terms.SELL:
                price, quantity = entry.ask_price, entry.ask_quantity
            same = (order.price, order.group) == (price, c.group or entry.symbol)
            if order.level == entry.level and (quantity == 0 or (quantity and same and quantity < order.remaining)):
                self.change_side(order, quantity, c.session)

    def change_side(self, old: Order | None, wanted: Order | int, session: str) -> list[Order]:
        """Take out, reduce or keep the order of a side; return the new one."""
        if old is not None and wanted == 0:
            self.cancel(old, "USER")
        elif old is not None and isinstance(wanted, int):
            old.session = session
            if wanted < old.remaining:
                old.quantity -= old.remaining - wanted
                old.remaining = old.shown = wanted
                self.touch_for(old)
                names = old.order_id, old.account.name, old.client_order_id, old.client_order_id
                self.emit(events.OrderReplaced, *names, old.symbol, old.price, old.quantity, wanted, True)
        if isinstance(wanted, int):
            return []
        if old is not None:
            self.cancel(old, "REPLACED")
        self.coming.append(wanted)
        self.touch_for(wanted)
        return [wanted]

    # Limits

    def is_frozen(self, account: Account, group: str) -> bool:
        limits = self.limits.get((account.member, group))
        return limits is not None and limits.frozen

    def do_quote_set_protection(self, c: QuoteSetProtection) -> None:
        member = self.account(c.account).member
        known = self.limits.get((member, c.group))
        given = [limit for limit in (c.max_quantity, c.max_net) if limit is not None]
        if not given:
            if known is None:
                raise Refused("BAD_VALUE")
            if known.frozen:
                raise Refused("PROTECTION")
            del self.limits[member, c.group]
            self.emit(ProtectionSet, c.account, c.group)
            return
        possible = c.window_ms is not None and 1 <= c.window_ms <= LONGEST_WINDOW_MS
        if not possible or not all(1 <= limit <= LARGEST for limit in given):
            raise Refused("BAD_VALUE")
        if known is None and sum(one == member for one, _ in self.limits) == 64:
            raise Refused("BAD_VALUE")
        assert c.window_ms is not None
        frozen = known is not None and known.frozen
        self.limits[member, c.group] = Limits(c.window_ms, c.max_quantity, c.max_net, frozen)
        self.emit(ProtectionSet, c.account, c.group, c.window_ms, c.max_quantity, c.max_net)

    def do_quote_reset_protection(self, c: QuoteResetProtection) -> None:
        limits = self.limits.get((self.account(c.account).member, c.group))
        if limits is None:
            raise Refused("BAD_VALUE")
        limits.frozen, limits.trades = False, []
        self.emit(ProtectionReset, c.account, c.group)
