"""Generated claims on accounts: made, changed and ended, and collected by money that is taken out."""

from typing import TYPE_CHECKING

from goldx.protocol import commands, units
from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.commands import AnyCommand

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow

REFERENCES = ("c1", "c1", "c2")


def claim(flow: "Flow") -> AnyCommand:
    """Set a claim, mostly one that is ended or collected soon; seldom an impossible one."""
    choose, number = flow.dice.choose, flow.dice.number
    account, reference = flow.account(), choose(REFERENCES)
    if flow.chance(40):
        return collection(flow, account, reference)
    if flow.chance(4):
        return AccountClaim(choose(("A", "nobody")), choose((-1, 5, 10**18)), choose(("", "c1")))
    if flow.chance(70):
        ended = AccountClaim(account, 0, reference, "settlement")
        flow.queued += [flow.place() for _ in range(number(1, 5))]
        flow.queued.append(ended if flow.chance(60) else collection(flow, account, reference))
    return AccountClaim(account, choose((0, number(1, 900), number(1, 900))), reference, "settlement")


def collection(flow: "Flow", account: str, reference: str) -> AnyCommand:
    """Take money out for a claim, or in; or gold."""
    amount = flow.dice.choose((-1, -1, -1, 1)) * flow.dice.number(1, 900)
    asset = flow.dice.choose((*[units.CASH] * 6, "X"))
    return commands.HoldingAdjust(account, asset, amount, flow.reference(), claim=reference)
