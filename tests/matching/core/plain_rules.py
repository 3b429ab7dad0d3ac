"""Command sequences around each rule that both the fast path and the general path of an order know.

Each class is one rule of ``matching.core.plain`` that is in ``placing``, ``changes``, ``matcher`` or what these call as
well. Its sequences are short and keep to values at which the rule decides. ``happens`` names what has to occur in many
of them, or they prove nothing: ``fast`` and ``general`` are the paths that orders and cancels took, words in capitals
reasons of refusals, the others events.
"""

from collections.abc import Callable
from typing import Any

from goldx.protocol import commands, terms, units
from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.commands import AnyCommand
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.regime_commands import VenueSetRegime
from tests.matching.core.dice import Dice
from tests.matching.core.plain_rule import LOT, MEMBERS, MIDDLE, Rule


class KnownNames(Rule):
    """Account and symbol exist."""

    happens = frozenset(("fast", "general", "UNKNOWN_ACCOUNT", "UNKNOWN_SYMBOL", "UNKNOWN_ORDER"))

    def order(self, **fields: Any) -> AnyCommand:
        account = self.dice.choose((*MEMBERS, "nobody"))
        return super().order(account=account, symbol=self.dice.choose(("X", "X", "Z")), **fields)

    def cancel(self) -> AnyCommand:
        options: tuple[AnyCommand, ...] = (
            super().cancel(),
            super().cancel(),
            commands.OrderCancel("nobody", None, "o1"),
            commands.OrderCancel("A"),
            commands.OrderCancel("A", None, "?"),
        )
        return self.dice.choose(options)


class Permission(Rule):
    """The member is neither killed nor halted; cancelling is always possible."""

    happens = frozenset(("fast", "general", "KILLED", "HALTED", "order.cancelled"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.order, self.cancel, self.decide

    def decide(self) -> AnyCommand:
        member = self.dice.choose(("m1", "m2"))
        options: tuple[AnyCommand, ...] = (
            commands.MemberKill(member),
            commands.MemberHalt(member),
            commands.MemberRestore(member),
        )
        return self.dice.choose(options)


class ClientIds(Rule):
    """A client id is used once a day, and leads to the order that has it now."""

    happens = frozenset(("fast", "general", "DUPLICATE_ID", "UNKNOWN_ORDER", "order.replaced", "day.ended"))

    def __init__(self, dice: Dice) -> None:
        super().__init__(dice)
        self.day = 0

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.order, self.order, self.cancel, self.cancel, self.rename, self.end_day

    def order(self, **fields: Any) -> AnyCommand:
        return super().order(account=self.dice.choose(("A", "B")), client_order_id=self.client_id(), **fields)

    def client_id(self) -> str:
        return f"o{self.dice.number(1, 4)}"

    def rename(self) -> AnyCommand:
        account = self.dice.choose(("A", "B"))
        return commands.OrderReplace(account, None, self.client_id(), self.client_id())

    def end_day(self) -> AnyCommand:
        self.day += 1
        return commands.MarketEndDay(f"2027-01-{self.day:02d}", rules=self.dice.choose((0, 1, 2)))


class Phase(Rule):
    """Orders trade in continuous trading alone; an auction publishes its indicative price after a cancel."""

    happens = frozenset(("fast", "general", "MARKET_CLOSED", "HALTED", "auction.indicated", "order.cancelled"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.order, self.order, self.cancel, self.set_phase

    def set_phase(self) -> AnyCommand:
        return commands.MarketSetPhase("X", self.dice.number(0, len(terms.PHASES) - 1))


class TickAndLimits(Rule):
    """The price is a multiple of the tick and within the price limits, whole or as a percentage of the reference."""

    happens = frozenset(("fast", "general", "BAD_PRICE", "PRICE_LIMIT", "reference.changed"))

    def definition(self) -> dict[str, Any]:
        options: tuple[dict[str, Any], ...] = (
            {"tick": self.dice.number(1, 3)},
            {"lower_price_limit": MIDDLE - 1, "upper_price_limit": MIDDLE + 1, "tick": self.dice.number(1, 2)},
            {"price_limit_percent": 1, "reference_price": MIDDLE},
        )
        return self.dice.choose(options)

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return *super().choices(), self.odd_price, self.set_reference

    def odd_price(self) -> AnyCommand:
        return self.order(price=self.dice.choose((0, -1, 1, None, units.MAX_PRICE_FEN, units.MAX_PRICE_FEN + 1)))

    def set_reference(self) -> AnyCommand:
        return commands.MarketSetReference("X", MIDDLE + self.dice.number(-2, 2))


class LotAndLargest(Rule):
    """The quantity is whole lots, more than none, and at most the largest allowed."""

    happens = frozenset(("fast", "general", "BAD_QUANTITY"))

    def definition(self) -> dict[str, Any]:
        return {"lot": self.dice.choose((LOT, 2 * LOT)), "max_quantity": 4 * LOT}

    def order(self, **fields: Any) -> AnyCommand:
        quantity = self.dice.choose((0, -LOT, LOT, LOT + 1, 2 * LOT, 3 * LOT, 4 * LOT, 5 * LOT, 6 * LOT))
        return super().order(quantity=quantity, **fields)


class Uncommon(Rule):
    """Every command other than a plain order is left to the general path, alone or together with others."""

    happens = frozenset(("fast", "general", "BAD_VALUE", "TOO_LATE", "WOULD_TAKE", "CANNOT_FILL", "order.triggered"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.uncommon, self.uncommon, self.cancel

    def uncommon(self) -> AnyCommand:
        options: tuple[dict[str, Any], ...] = (
            {"side": self.dice.choose((-1, 2))},
            {"type": self.dice.choose((terms.MARKET, 2, -1)), "price": self.dice.choose((None, MIDDLE))},
            {"time_in_force": self.dice.number(-1, 5)},
            {"time_in_force": terms.GTD, "expire_at": self.at + self.dice.number(0, 60)},
            {"post_only": True},
            {"display_quantity": LOT},
            {"stop_price": MIDDLE + self.dice.number(-2, 2)},
            {"stp": self.dice.number(-1, 4)},
            {"persist": True},
        )
        chosen = self.dice.choose(options)
        return self.order(**(chosen | (self.dice.choose(options) if self.dice.choose((True, False)) else {})))


class Funds(Rule):
    """The account has what the order could use, the highest fee included."""

    happens = frozenset(("fast", "general", "INSUFFICIENT_CASH", "INSUFFICIENT_GOLD", "trade"))
    cash = (1, 98, 99, 100, 101, 102, 110, 220, 550)
    gold = (LOT, 2 * LOT, 5 * LOT, 7 * LOT)

    def definition(self) -> dict[str, Any]:
        return {"maker_fee_bp": self.dice.choose((0, 7, 1_000)), "taker_fee_bp": self.dice.choose((0, 50, 1_000))}


class HeldBack(Rule):
    """Gold may be under a resale lock, and sale proceeds not withdrawable: that is checked and published."""

    happens = frozenset(("fast", "general", "RESALE_LOCKED", "trade", "order.cancelled", "locked", "unwithdrawable"))
    gold = (LOT, 2 * LOT)

    def definition(self) -> dict[str, Any]:
        return {"resale_lock_days": self.dice.choose((0, 1)), "same_day_reuse_percent": self.dice.choose((0, 60, 100))}

    def __init__(self, dice: Dice) -> None:
        super().__init__(dice)
        self.queued: list[AnyCommand] = []

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        if self.queued:
            return (lambda: self.queued.pop(0),)
        return *[self.order] * 12, *[self.cancel] * 4, self.redefine

    def redefine(self) -> AnyCommand:
        """Give the instrument other terms, once its book is empty: locked gold may meet an instrument without locks."""
        self.queued = [
            *(commands.OrderCancelAll(account) for account in MEMBERS),
            commands.InstrumentDefine("X", **self.definition()),
            commands.MarketSetPhase("X", terms.CONTINUOUS),
        ]
        return commands.MarketSetPhase("X", terms.CLOSED)


class Priority(Rule):
    """An order takes the best price first, then the oldest order, at the maker's price; what is left of it rests."""

    happens = frozenset(("fast", "trade", "order.cancelled"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.order, self.sweep, self.cancel

    def order(self, **fields: Any) -> AnyCommand:
        return super().order(account=fields.pop("account", None) or self.dice.choose(("A", "B", "C")), **fields)

    def sweep(self) -> AnyCommand:
        return self.order(quantity=self.dice.number(3, 12) * LOT, price=MIDDLE + self.dice.number(-5, 5))


class Fees(Priority):
    """Fees are the maker's and the taker's rate, and what rounding keeps back stays with each order."""

    happens = frozenset(("fast", "trade", "fee"))

    def definition(self) -> dict[str, Any]:
        return {"maker_fee_bp": self.dice.choose((3, 17, 51)), "taker_fee_bp": self.dice.choose((0, 49, 151))}


class OneOwner(Rule):
    """Orders of one owner do not trade with each other, whichever accounts they are of."""

    happens = frozenset(("fast", "general", "self_trade.prevented", "trade"))

    def order(self, **fields: Any) -> AnyCommand:
        mode = self.dice.choose((terms.CANCEL_TAKER,) * 4 + (terms.CANCEL_MAKER, terms.DECREMENT))
        return super().order(account=self.dice.choose(("A", "A2", "A2", "B")), stp=mode, **fields)


class SpecialMakers(Priority):
    """A plain order may meet icebergs and quotes."""

    happens = frozenset(("fast", "general", "trade", "order.refreshed", "UNKNOWN_ORDER"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.sweep, self.iceberg, self.quote, self.cancel

    def iceberg(self) -> AnyCommand:
        return self.order(quantity=5 * LOT, display_quantity=LOT)

    def quote(self) -> AnyCommand:
        quote_id = f"q{len(self.placed)}"
        self.placed.append(("B", quote_id + "/bid"))
        return commands.QuoteSet("B", quote_id, "X", MIDDLE - 1, 2 * LOT, MIDDLE + 1, 2 * LOT)


class PriceRules(Priority):
    """A trade may print at the median price, or be outside the dynamic band."""

    happens = frozenset(("fast", "general_trade", "trade", "phase.changed"))

    def definition(self) -> dict[str, Any]:
        return {
            "price_rule": self.dice.choose((terms.MAKER_PRICE, terms.MEDIAN_PRICE)),
            "dynamic_band_percent": self.dice.choose((None, 1, 2)),
            "reference_price": MIDDLE,
            "interruption_ms": 1_000,
        }

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return *super().choices(), self.wait

    def wait(self) -> AnyCommand:
        self.at += 1_000
        return commands.ClockTick()


class Stops(Priority):
    """A trade of a plain order may reach pending stops."""

    happens = frozenset(("fast", "general", "general_trade", "trade", "order.triggered", "order.cancelled"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.order, self.sweep, self.stop, self.cancel

    def stop(self) -> AnyCommand:
        return self.order(stop_price=MIDDLE + self.dice.number(-2, 2))


class Sessions(Rule):
    """The end of a session cancels what it placed, and the end of the day the orders for the day."""

    happens = frozenset(("fast", "general", "DISCONNECT", "EXPIRED"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.order, self.cancel, self.end

    def order(self, **fields: Any) -> AnyCommand:
        session = self.dice.choose(("", "s", "t"))
        return super().order(session=session, persist=self.dice.choose((False, False, True)), **fields)

    def end(self) -> AnyCommand:
        options: tuple[AnyCommand, ...] = (
            commands.SessionClose(self.dice.choose(("m1", "m2")), self.dice.choose(("s", "t"))),
            commands.MarketEndDay(f"2027-01-01T{self.at:09d}"),
        )
        return self.dice.choose(options)


class Time(Rule):
    """Expiries that are due by the time of a command happen before it, whichever path it takes."""

    happens = frozenset(("fast", "general", "EXPIRED", "trade"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return self.order, self.order, self.good_till, self.cancel

    def good_till(self) -> AnyCommand:
        return self.order(time_in_force=terms.GTD, expire_at=self.at + self.dice.number(1, 60))


class LimitsOfMembers(Priority):
    """Orders of members with limits are refused beyond them, and counted as they rest, trade and are cancelled."""

    happens = frozenset(("fast", "general", "general_trade", "trade", "MEMBER_LIMIT", "order.cancelled"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return *[self.order] * 5, self.sweep, self.cancel, self.cancel, self.limit

    def limit(self) -> AnyCommand:
        """Set limits of m1 or of B, or take some away; C never has any."""
        member, account = self.dice.choose((("m1", None), ("m1", "A"), ("m2", "B")))
        most = {"max_open_orders": self.dice.number(1, 4), "max_net_purchases": self.dice.number(1, 20) * MIDDLE}
        most = {name: value for name, value in most.items() if self.dice.choose((True, False))}
        return LimitsSet(member, "a limit", account, **most, by=self.dice.choose(("ann", "bob")))


class Regimes(Priority):
    """In a sandbox orders are served by either path within its caps; the other regimes close the order book."""

    happens = frozenset(("fast", "general", "general_trade", "trade", "REGIME", "day.ended"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return *[self.order] * 12, self.sweep, self.cancel, self.cancel, self.regime, self.regime, self.end_day

    def regime(self) -> AnyCommand:
        """Propose or confirm a regime: mostly a sandbox with room for some of the orders."""
        kind = self.dice.choose((terms.SANDBOX, terms.SANDBOX, terms.APPROVED, terms.NEGOTIATED))
        caps: dict[str, Any] = {}
        if kind == terms.SANDBOX:
            value = self.dice.choose((4, 1_000)) * MIDDLE
            caps = {"max_clients": 9, "max_day_value": value, "max_total_value": 2 * value}
            caps["last_trading_day"] = "2027-06-30"
        document = ("Notice", "1", "2026-11-02", "ab" * 32)
        return VenueSetRegime(kind, *document, **caps, by=self.dice.choose(("ann", "bob")))

    def end_day(self) -> AnyCommand:
        return commands.MarketEndDay(f"2027-01-01T{self.at:09d}")


class ClaimsOnAccounts(Rule):
    """An account that owes something sells and cancels by the general path, and none of its bids is left."""

    happens = frozenset(("fast", "general", "general_trade", "trade", "CLAIM", "account.claim_changed"))

    def choices(self) -> tuple[Callable[[], AnyCommand], ...]:
        return *[self.order] * 5, self.cancel, self.cancel, self.claim

    def claim(self) -> AnyCommand:
        account, amount = self.dice.choose(("A", "B")), self.dice.choose((0, 0, 7))
        if self.dice.choose((True, False)):
            return AccountClaim(account, amount, "c")
        return commands.HoldingAdjust(account, units.CASH, -5, f"out-{self.dice.number(1, 10**6)}", claim="c")


RULES: tuple[type[Rule], ...] = (
    KnownNames,
    Permission,
    ClientIds,
    Phase,
    TickAndLimits,
    LotAndLargest,
    Uncommon,
    Funds,
    HeldBack,
    Priority,
    Fees,
    OneOwner,
    SpecialMakers,
    PriceRules,
    Stops,
    LimitsOfMembers,
    Regimes,
    ClaimsOnAccounts,
    Sessions,
    Time,
)
