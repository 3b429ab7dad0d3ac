"""The model's commands of members: orders, replacements, cancellations; and deposits and withdrawals."""

from dataclasses import replace as copy_with

from goldx.protocol import commands, events, terms, units
from tests.matching.core.model_limit_setting import LimitCommands
from tests.matching.core.model_limits import check_changed, check_order
from tests.matching.core.model_parts import Account, Instrument, Order, Refused
from tests.matching.core.model_rules import could_use, crosses, is_reached


class OrderCommands(LimitCommands):
    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.older_references: list[str] = []

    # Accounts and orders

    def account(self, name: str) -> Account:
        if name not in self.accounts:
            raise Refused("UNKNOWN_ACCOUNT")
        return self.accounts[name]

    def use_id(self, account: Account, client_id: str, order_id: int) -> None:
        """Note that an order has a client id, and the trading day on which the id was taken."""
        account.used_ids[client_id] = order_id
        account.used_on.setdefault(client_id, self.day)

    def check_permission(self, account: Account) -> None:
        member = self.members[account.member]
        if member.killed:
            raise Refused("KILLED")
        if member.halted:
            raise Refused("HALTED")
        if account.retired:
            raise Refused("RETIRED")

    def check_claims(self, account: Account, side: int) -> None:
        """Refuse a purchase of who owes something."""
        if side == terms.BUY and account.claims:
            raise Refused("CLAIM")

    def open_order(self, account: Account, c: commands.OrderCancel | commands.OrderReplace) -> Order:
        """Return an order by its number, or else by its client id; the sides of a quote are not found."""
        for order in self.orders:
            named = order.client_order_id == c.client_order_id if c.order_id is None else order.order_id == c.order_id
            if order.account is account and named and order.quote_id is None:
                return order
        raise Refused("UNKNOWN_ORDER")

    # Checks

    def check_phase(self, instrument: Instrument, kind: int, time_in_force: int, is_stop: bool) -> None:
        if instrument.phase == terms.CLOSED:
            raise Refused("MARKET_CLOSED")
        if instrument.phase == terms.HALTED:
            raise Refused("HALTED")
        immediate = kind == terms.MARKET or time_in_force in (terms.IOC, terms.FOK)
        if instrument.phase != terms.CONTINUOUS and (immediate or is_stop):
            raise Refused("PHASE")

    def check_terms(self, c: commands.OrderPlace) -> None:
        """Refuse terms that do not go together."""
        immediate = c.type == terms.MARKET or c.time_in_force in (terms.IOC, terms.FOK)
        if (c.expire_at is None) == (c.time_in_force == terms.GTD):
            raise Refused("BAD_VALUE")
        if c.post_only and (immediate or c.stop_price is not None):
            raise Refused("BAD_VALUE")
        if c.expire_at is not None and c.expire_at <= self.at:
            raise Refused("TOO_LATE")
        if (c.price is None) != (c.type == terms.MARKET):
            raise Refused("BAD_PRICE")

    def check_price(self, instrument: Instrument, price: int) -> None:
        if price <= 0 or price > units.MAX_PRICE_FEN or price % instrument.terms.tick:
            raise Refused("BAD_PRICE")
        lowest, highest = instrument.limits()
        if not lowest <= price <= highest:
            raise Refused("PRICE_LIMIT")

    def check_quantity(self, instrument: Instrument, quantity: int) -> None:
        largest = instrument.terms.max_quantity or units.MAX_WEIGHT_MG
        if quantity <= 0 or quantity % instrument.terms.lot or quantity > largest:
            raise Refused("BAD_QUANTITY")

    def check_display(self, instrument: Instrument, c: commands.OrderPlace) -> None:
        if c.display_quantity is None:
            return
        immediate = c.type == terms.MARKET or c.time_in_force in (terms.IOC, terms.FOK)
        size = c.display_quantity
        if immediate or size <= 0 or size % instrument.terms.lot or size > c.quantity:
            raise Refused("BAD_QUANTITY")

    def check_meeting(self, order: Order, instrument: Instrument) -> None:
        """Refuse a post-only order that would take. Before continuous trading nothing is taken."""
        if order.post_only and instrument.phase == terms.CONTINUOUS and self.would_take(order):
            raise Refused("WOULD_TAKE")

    def would_take(self, order: Order) -> bool:
        makers = self.resting(order.symbol, 1 - order.side)
        return bool(makers) and crosses(order.side, order.price or 0, makers[0].price or 0)

    def check_funds(self, order: Order, freed: int = 0) -> None:
        """Refuse an order without funds. ``freed`` is what the same command frees of the asset."""
        asset, needed = could_use(order, self.instruments[order.symbol])
        free = self.available(order.account, asset) + freed
        if needed <= free:
            return
        if asset == units.CASH:
            raise Refused("INSUFFICIENT_CASH")
        locked = self.locked(order.account, asset)
        raise Refused("RESALE_LOCKED" if needed <= free + locked else "INSUFFICIENT_GOLD")

    # Placing

    def do_order_place(self, c: commands.OrderPlace) -> None:
        if c.symbol not in self.instruments:
            raise Refused("UNKNOWN_SYMBOL")
        instrument, account = self.instruments[c.symbol], self.account(c.account)
        self.check_permission(account)
        self.check_regime()
        if c.client_order_id in account.used_ids:
            raise Refused("DUPLICATE_ID", account.used_ids[c.client_order_id])
        self.check_phase(instrument, c.type, c.time_in_force, c.stop_price is not None)
        self.check_terms(c)
        if c.stop_price is not None and (c.stop_price <= 0 or c.stop_price % instrument.terms.tick):
            raise Refused("BAD_PRICE")
        if c.price is not None:
            self.check_price(instrument, c.price)
        self.check_quantity(instrument, c.quantity)
        self.check_display(instrument, c)
        order = Order(
            order_id=self.last_order_id + 1,
            account=account,
            client_order_id=c.client_order_id,
            symbol=c.symbol,
            side=c.side,
            type=c.type,
            price=c.price,
            quantity=c.quantity,
            time_in_force=c.time_in_force,
            expire_at=c.expire_at,
            post_only=c.post_only,
            display=c.display_quantity,
            stop_price=c.stop_price,
            stp=c.stp,
            persist=c.persist,
            session=c.session,
            remaining=c.quantity,
        )
        self.check_guards(order, instrument)
        self.check_claims(account, c.side)
        check_order(self, order)
        self.check_funds(order)
        self.check_meeting(order, instrument)
        if c.time_in_force == terms.FOK and c.stop_price is None and not self.would_fill(order):
            raise Refused("CANNOT_FILL")
        self.accept(order)

    def accept(self, order: Order) -> None:
        """Accept an order, and let it enter unless it waits for its stop price."""
        self.place_aside(order)
        if order.stop_price is None:
            self.enter(order)
            return
        order.pending = True
        last = self.instruments[order.symbol].last
        if last is not None and is_reached(order, last):
            self.triggered.append(order)

    def place_aside(self, order: Order) -> None:
        """Make an order an open one that has not entered yet."""
        self.last_order_id = order.order_id
        self.orders.append(order)
        self.use_id(order.account, order.client_order_id, order.order_id)
        self.touch_for(order)
        self.emit(
            events.OrderAccepted,
            order.order_id,
            order.account.name,
            order.client_order_id,
            order.symbol,
            order.side,
            order.type,
            order.price,
            order.quantity,
            order.time_in_force,
            order.expire_at,
            order.post_only or None,
            order.display,
            order.stop_price,
            order.stp or None,
            order.persist or None,
            order.quote_id,
        )

    # Replacing

    def do_order_replace(self, c: commands.OrderReplace) -> None:
        account = self.account(c.account)
        self.check_permission(account)
        order = self.open_order(account, c)
        instrument = self.instruments[order.symbol]
        if c.new_client_order_id in account.used_ids:
            raise Refused("DUPLICATE_ID")
        self.check_phase(instrument, terms.LIMIT, terms.GTC, False)
        if order.type == terms.MARKET and c.price is not None:
            raise Refused("BAD_PRICE")
        price = order.price if c.price is None else c.price
        total = order.quantity if c.quantity is None else c.quantity
        remaining = total - order.filled
        keeps = price == order.price and remaining <= order.remaining
        if price is not None and not keeps:
            self.check_price(instrument, price)
        self.check_quantity(instrument, total)
        if remaining <= 0:
            self.cancel(order, "REPLACED")
            return
        changed = copy_with(order, price=price, quantity=total, remaining=remaining)
        if not keeps:
            self.check_guards(changed, instrument)
        if not keeps and not order.pending:
            self.check_meeting(changed, instrument)
        check_changed(self, order, changed)
        if not keeps:
            self.check_funds(changed, freed=could_use(order, instrument)[1])
        renamed = c.new_client_order_id or order.client_order_id
        names = order.order_id, account.name, order.client_order_id, renamed
        order.client_order_id, order.price, order.quantity, order.remaining = renamed, price, total, remaining
        if c.new_client_order_id is not None:
            self.use_id(account, renamed, order.order_id)
        self.touch_for(order)
        self.emit(events.OrderReplaced, *names, order.symbol, price, total, remaining, keeps)
        if order.pending:
            return
        if keeps:
            order.shown = min(order.shown, remaining)
            return
        order.turn = order.shown = 0
        self.enter(order)

    # Cancelling

    def do_order_cancel(self, c: commands.OrderCancel) -> None:
        self.cancel(self.open_order(self.account(c.account), c), "USER")

    def do_order_cancel_all(self, c: commands.OrderCancelAll) -> None:
        if c.symbol is not None and c.symbol not in self.instruments:
            raise Refused("UNKNOWN_SYMBOL")
        account = self.account(c.account)
        mine = [o for o in self.orders if o.account is account]
        mine = [o for o in mine if c.symbol in (None, o.symbol) and c.side in (None, o.side)]
        self.cancel_each(mine, "USER")

    def do_session_close(self, c: commands.SessionClose) -> None:
        if c.member not in self.members:
            raise Refused("UNKNOWN_MEMBER")
        mine = [o for o in self.orders if o.account.member == c.member and o.kept_session()]
        if c.session.endswith("/*"):
            key = c.session.removesuffix("/*")
            self.cancel_each([o for o in mine if o.session.strip("+").split("/")[0] == key], "DISCONNECT")
        else:
            self.cancel_each([o for o in mine if o.session == c.session], "DISCONNECT")

    # Deposits and withdrawals

    def do_holding_settle(self, c: commands.HoldingSettle) -> None:
        self.put(c.reference, c.legs, c.deposit)
        self.emit(events.HoldingSettled, c.reference, c.legs)

    def put(self, reference: str, legs: tuple[commands.Leg, ...], deposit: bool) -> None:
        """Move all legs or none, once per reference; what is taken out must be withdrawable."""
        for leg in legs:
            if leg.asset != units.CASH and leg.asset not in self.instruments:
                raise Refused("UNKNOWN_SYMBOL")
            self.account(leg.account)
        if reference in self.references + self.older_references:
            raise Refused("DUPLICATE_ID")
        if any(leg.amount == 0 for leg in legs):
            raise Refused("BAD_VALUE")
        if deposit:
            self.check_deposits(legs)
        for leg in legs:
            net = sum(one.amount for one in legs if (one.account, one.asset) == (leg.account, leg.asset))
            if net < 0 and -net > self.withdrawable(self.accounts[leg.account], leg.asset):
                raise Refused("INSUFFICIENT_CASH" if leg.asset == units.CASH else "INSUFFICIENT_GOLD")
        self.references.append(reference)
        for leg in legs:
            self.move(self.accounts[leg.account], leg.asset, leg.amount)
