"""The results and refusals of members' commands about trades without orders: deals, and requests for quotes."""

from typing import Any, Final, TypeAlias

from api.edge.outcome import Outcome, Refusal
from api.sessions.deals import DEAL_COMMANDS, deal_result, refused_deal
from api.sessions.rfq import RFQ_COMMANDS, refused_rfq, rfq_result
from api.view.view import View
from goldx.protocol.commands import AnyCommand
from goldx.protocol.deal_commands import DealCommand
from goldx.protocol.rfq_commands import RfqCommand

DirectCommand: TypeAlias = DealCommand | RfqCommand
DIRECT_COMMANDS: Final = (*DEAL_COMMANDS, *RFQ_COMMANDS)


def direct_result(command: DirectCommand, outcome: Outcome, view: View) -> dict[str, Any]:
    """Return the result of a command that was not refused."""
    if isinstance(command, RFQ_COMMANDS):
        return rfq_result(command, outcome, view)
    return deal_result(command, outcome, view)


def refused_direct(command: AnyCommand, reason: str, text: str, view: View) -> Refusal | None:
    """Return the refusal of such a command that concerns one of its fields; None for any other."""
    return refused_deal(command, reason, text, view) or refused_rfq(command, reason, text, view)
