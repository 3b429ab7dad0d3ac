"""The results and refusals of members' commands about requests for quotes."""

from typing import Any, Final

from api.edge.outcome import Outcome, Refusal
from api.sessions.refused import NAMED
from api.view.orders import write_own_trade
from api.view.request_forms import write_own_request, write_quote
from api.view.requests import ViewedRequest
from api.view.view import View
from goldx.protocol.commands import AnyCommand
from goldx.protocol.details import read_detail
from goldx.protocol.events import Trade
from goldx.protocol.rfq_commands import RfqAccept, RfqCancel, RfqCommand, RfqCreate, RfqQuote, RfqWithdraw
from goldx.protocol.rfq_events import RfqCreated
from goldx.protocol.units import BadValue
from goldx.protocol.wire import CODECS

RFQ_COMMANDS: Final = (RfqCreate, RfqQuote, RfqWithdraw, RfqAccept, RfqCancel)
_FIELDS: Final = ("expire_at", "grace_ms", "members", "quantity")
"""Fields with which the core begins the text of a refusal."""


def rfq_result(command: RfqCommand, outcome: Outcome, view: View) -> dict[str, Any]:
    """Return the result of a command that was not refused: the request, with its trades, or the quote."""
    if isinstance(command, RfqCreate):
        number = next(event.rfq_id for event in outcome if isinstance(event, RfqCreated))
        return {"request": write_own_request(view.requests.by_id[number])}
    request = view.requests.by_id[command.rfq_id]
    if isinstance(command, RfqQuote | RfqWithdraw):
        quote = request.quote_of(command.account)
        return {} if quote is None else {"quote": write_quote(quote, of_requester=False)}
    return _written(request, outcome)


def refused_rfq(command: AnyCommand, reason: str, text: str, view: View) -> Refusal | None:
    """Return the refusal of a command about a request that concerns one of its fields; None for any other.

    DUPLICATE_ID comes with the request that has the client id, if it is of today.
    """
    if not isinstance(command, RFQ_COMMANDS):
        return None
    if isinstance(command, RfqCreate) and reason == "DUPLICATE_ID":
        first = view.requests.find(command.account, command.client_rfq_id)
        return Refusal(reason, text, **({} if first is None else {"request": write_own_request(first)}))
    detail = read_detail(reason, text)
    if reason in ("UNKNOWN_RFQ", "SELF_TRADE"):
        field, allowed = "rfq_id", NAMED["UNKNOWN_RFQ"][1] if reason == "UNKNOWN_RFQ" else "one of another owner"
    elif detail is None or detail.field not in _FIELDS:
        return None
    elif reason == "UNKNOWN_MEMBER":
        field, allowed = "members", f"members that have an account; {detail.allowed} has none"
    else:
        field, allowed = detail
    value = CODECS[field].write(getattr(command, field))
    return Refusal(reason, str(BadValue(field, value, allowed)), field=field, value=value, allowed=allowed)


def _written(request: ViewedRequest, outcome: Outcome) -> dict[str, Any]:
    """Return a request, and its trades among events, as its requester may see them.

    Others may stand before them: what was due by the time of a command is among its events.
    """
    written: dict[str, Any] = {"request": write_own_request(request)}
    if request.accepted is not None:
        side, numbers = request.created.side, request.accepted.trade_ids
        trades = [event for event in outcome if isinstance(event, Trade) and event.trade_id in numbers]
        written["trades"] = [write_own_trade(trade, side, 0, None) for trade in trades]
    return written
