"""The legal regimes of the generated command sequences."""

from typing import TYPE_CHECKING, Any

import msgspec

from goldx.protocol import commands, terms, units
from goldx.protocol.commands import AnyCommand
from goldx.protocol.deal_commands import DealAccept
from goldx.protocol.regime_commands import VenueSetRegime
from tests.matching.core.flows_of_deals import timely

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow


def regime_steps(flow: "Flow") -> AnyCommand:
    """Ask for a regime, perhaps by two; after one without the book try what it refuses, then open again.

    A deal may be proposed before the regime and accepted under it, and another one is proposed under it.
    """
    choose = flow.dice.choose
    kind = choose((terms.SANDBOX,) * 6 + (terms.APPROVED, terms.NEGOTIATED, terms.WIND_DOWN, terms.WIND_DOWN))
    more: dict[str, Any] = {"min_hold_trading_days": choose((0, 0, 0, 1, 2))}
    if kind == terms.SANDBOX:
        value = choose((500, 3_000, 30_000, 10**9))
        more |= {
            "max_clients": choose((2, 3, 4)),
            "max_day_value": value,
            "max_total_value": value * choose((1, 9)),
        }
        more["last_trading_day"] = choose(("2027-12-31", "2027-12-31", "2027-01-05", "2026-11-25"))
    elif kind == terms.WIND_DOWN:
        more["buyers"] = choose(((), ("m1",), ("m9",)))
    first = regime_command(kind, choose(("ada", "ben")), **more)
    before, after = timely(flow), timely(flow)
    number = flow.engine.state.last_deal_id + 1
    flow.queued += [before, msgspec.structs.replace(first, by=choose(("ada", "ben", "eve")))]
    flow.queued += [DealAccept(before.counter_account, number), flow.place(), flow.quote()]
    flow.queued += [after, DealAccept(after.counter_account, number + 1)]
    if kind in (terms.NEGOTIATED, terms.WIND_DOWN):
        deposit = commands.HoldingAdjust(flow.account(), choose(("X", units.CASH)), 1_000, flow.reference(), "", True)
        leg = commands.Leg(flow.account(), "X", 1_000)
        flow.queued += [deposit, commands.HoldingSettle(flow.reference(), (leg,), "", True), flow.place()]
        flow.queued += [flow.set_phase(), flow.timetable(), late_account(flow)]
        flow.queued += [commands.InstrumentDefine(f"L{flow.orders}"), flow.cancel()]
        flow.queued += [timely(flow), timely(flow)]
        flow.queued += [regime_command(terms.APPROVED, by) for by in ("ada", "ben")]
    flow.queued += [late_account(flow)] * flow.chance(30)
    flow.queued += [commands.MarketSetPhase(symbol, terms.CONTINUOUS) for symbol in ("X", "Y")]
    return first


def late_account(flow: "Flow") -> AnyCommand:
    owner = flow.dice.choose((None, "B", "A", "owner"))
    return commands.AccountOpen(f"late{flow.orders}", "m1", terms.CLIENT, owner)


def regime_command(kind: int, by: str, **more: Any) -> VenueSetRegime:
    """Return the command that sets a regime, with a document."""
    terms_given: dict[str, Any] = {
        "document_name": "a decision",
        "document_number": "2026-1",
        "document_date": "2026-11-20",
        "document_sha256": "ab" * 32,
    }
    return VenueSetRegime(kind, by=by, **(terms_given | more))
