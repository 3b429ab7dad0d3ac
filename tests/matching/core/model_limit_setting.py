"""How limits of members are set in the brute-force model."""

from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.limit_events import LimitsChanged, LimitsProposed
from tests.matching.core.model_parts import Refused
from tests.matching.core.model_regime import Regimes

TERMS = ("max_order_value", "max_order_quantity", "max_open_orders", "max_net_purchases", "max_net_sales")


class LimitCommands(Regimes):
    def do_limits_set(self, c: LimitsSet) -> None:
        if c.member not in self.members:
            raise Refused("UNKNOWN_MEMBER")
        if c.account is not None and (c.account not in self.accounts or self.accounts[c.account].member != c.member):
            raise Refused("UNKNOWN_ACCOUNT")
        subject = c.member, c.account or ""
        known = self.limits_of_members.get(subject)
        before = [None] * len(TERMS) if known is None else [getattr(known, name) for name in TERMS]
        after = [getattr(c, name) for name in TERMS]
        if not c.reason.strip() or before == after or any(limit is not None and limit < 0 for limit in after):
            raise Refused("BAD_VALUE")
        unlimited = float("inf")
        looser = any(
            (unlimited if new is None else new) > (unlimited if old is None else old)
            for old, new in zip(before, after, strict=True)
        )
        first = None
        if looser:
            asked, first = self.asked_limits.get(subject, ([], ""))
            if asked != after or first == c.by:
                self.asked_limits[subject] = (after, c.by)
                self.emit(LimitsProposed, c.member, c.account, *after, c.reason, c.by)
                return
        self.asked_limits.pop(subject, None)
        self.limits_of_members[subject] = c
        self.limits_count_after.setdefault(c.member, self.last_trade_id)
        self.emit(LimitsChanged, c.member, c.account, *after, c.reason, c.by, first)

    def begin_day_of_limits(self) -> None:
        """Forget the proposals, and count no longer for members without limits."""
        self.asked_limits.clear()
        self.last_trade_of_past = self.last_trade_id
        limited = {
            member
            for (member, _), c in self.limits_of_members.items()
            if any(getattr(c, name) is not None for name in TERMS)
        }
        self.limits_count_after = {name: after for name, after in self.limits_count_after.items() if name in limited}
