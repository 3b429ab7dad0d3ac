"""Generated commands that have to be refused, or nearly so."""

from typing import TYPE_CHECKING

from goldx.protocol import commands, terms, units
from goldx.protocol.commands import AnyCommand
from tests.matching.core.flow_parts import LOT, changed

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow


def odd(flow: "Flow") -> AnyCommand:
    """Return a command that has to be refused, or nearly so."""
    account, price, quantity = flow.account(), flow.price(), flow.quantity()
    place = commands.OrderPlace(account, f"x{flow.dice.number(1, 9)}", "X", 0, terms.LIMIT, quantity, price)
    options: tuple[AnyCommand, ...] = (
        changed(place, symbol="Z"),
        changed(place, account="nobody"),
        changed(place, price=None),
        changed(place, type=terms.MARKET),
        changed(place, quantity=quantity + 1),
        changed(place, price=price * 100),
        changed(place, quantity=10**12),
        changed(place, side=terms.SELL, quantity=10**9),
        changed(place, display_quantity=quantity + LOT),
        changed(place, display_quantity=LOT + 1),
        changed(place, time_in_force=terms.GTD),
        changed(place, time_in_force=terms.GTD, expire_at=flow.at),
        changed(place, expire_at=flow.at + 5),
        changed(place, time_in_force=terms.IOC, post_only=True),
        changed(place, time_in_force=terms.IOC, stop_price=price),
        commands.OrderCancel(account),
        commands.OrderCancel("nobody", 1),
        commands.OrderReplace(account, 1, None, None, None, 1),
        commands.QuoteSet(account, f"y{flow.dice.number(1, 9)}", "X", price, LOT, price, LOT),
        commands.QuoteCancel("nobody", "X"),
        commands.QuoteCancel(account, "Z"),
        commands.OrderCancelAll("nobody"),
        commands.MarketSetPhase("Z", terms.CLOSED),
        commands.TimetableStep("Z", terms.CLOSED, flow.at, flow.at),
        commands.MarketSetReference("Z", price),
        commands.AccountOpen(account, "m9"),
        commands.AccountOpen("new", "m1", terms.CLIENT),
        commands.HoldingAdjust("nobody", units.CASH, 5, "n1"),
        commands.HoldingAdjust(account, "Z", 5, "n2"),
        commands.HoldingAdjust(account, units.CASH, -(10**15), "n3"),
        commands.HoldingSettle("n4", (commands.Leg(account, units.CASH, -(10**15)),)),
        commands.HoldingSettle("n5", (commands.Leg("nobody", "X", 1),)),
        commands.MemberKill("nobody"),
        commands.MemberHalt("nobody"),
        commands.MemberRestore("nobody"),
        commands.MarketEndDay("yesterday"),
        commands.InstrumentDefine("W", tick=1, lot=1),
        commands.InstrumentDefine("CNY"),
        commands.InstrumentDefine("V", min_fineness=900, max_fineness=800),
    )
    return flow.dice.choose(options)
