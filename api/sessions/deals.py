"""The results and refusals of members' commands about negotiated deals."""

from typing import Any, Final

from api.edge.outcome import Outcome, Refusal
from api.sessions.refused import NAMED
from api.view.deals import Deal, write_deal
from api.view.orders import write_own_trade
from api.view.view import View
from goldx.protocol import terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealCommand, DealDecline, DealPropose
from goldx.protocol.deal_events import DealAccepted, DealEnded, DealProposed
from goldx.protocol.details import read_detail
from goldx.protocol.units import BadValue
from goldx.protocol.wire import CODECS

DEAL_COMMANDS: Final = (DealPropose, DealAccept, DealDecline, DealCancel)


def deal_result(command: DealCommand, outcome: Outcome, view: View) -> dict[str, Any]:
    """Return the result of a command about a deal that was not refused: the deal, and the trade that it became."""
    number = next(number for event in outcome if (number := _answer(command, event)))
    return _written(view.deals.by_id[number], command.account, view)


def refused_deal(command: AnyCommand, reason: str, text: str, view: View) -> Refusal | None:
    """Return the refusal of a command about a deal that concerns its parties or times; None for any other.

    DUPLICATE_ID comes with the deal that has the client id, if it is of today.
    """
    if not isinstance(command, DEAL_COMMANDS):
        return None
    if isinstance(command, DealPropose):
        if reason == "DUPLICATE_ID":
            first = view.deals.find(command.account, command.client_deal_id)
            return Refusal(reason, text, **({} if first is None else _written(first, command.account, view)))
        if reason == "UNKNOWN_ACCOUNT":
            return _refusal(reason, command, "counter_account", "the account of another member")
        if reason == "SELF_TRADE":
            return _refusal(reason, command, "counter_account", "an account of another beneficial owner")
    detail = read_detail(reason, text)
    if detail is not None and detail.field in ("agreed_at", "lots", "quantity"):
        given = getattr(command, detail.field, None)
        value = None if given is None else CODECS[detail.field].write(given)
        return Refusal(reason, text, field=detail.field, value=value, allowed=detail.allowed)
    if reason == "UNKNOWN_DEAL":
        return _refusal(reason, command, "deal_id", NAMED[reason][1])
    return None


def _refusal(reason: str, command: DealCommand, field: str, allowed: str) -> Refusal:
    value = CODECS[field].write(getattr(command, field))
    return Refusal(reason, str(BadValue(field, value, allowed)), field=field, value=value, allowed=allowed)


def _answer(command: DealCommand, event: Any) -> int:
    """Return the number of the deal if an event is the one that the command has asked for, or 0."""
    if isinstance(command, DealPropose):
        return event.deal_id if isinstance(event, DealProposed) else 0
    return event.deal_id if isinstance(event, DealAccepted | DealEnded) and event.deal_id == command.deal_id else 0


def _written(deal: Deal, account: str, view: View) -> dict[str, Any]:
    written: dict[str, Any] = {"deal": write_deal(deal, account)}
    fill = None if deal.trade_id is None else view.fills.get(deal.trade_id)
    if fill is not None:
        side = terms.BUY if account == fill.trade.buy_account else terms.SELL
        written["trade"] = write_own_trade(fill.trade, side, 0, None, fill.busted)
    return written
