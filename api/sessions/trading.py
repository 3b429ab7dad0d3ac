"""The methods that change the exchange: orders, quotes, and the venue's commands.

Each checks who asks and whether the message is well formed, hands the command to the sequencer, and makes the answer
from the events that come back.
"""

from collections.abc import Callable
from typing import Any, Final

from api.edge.outcome import Outcome
from api.edge.rpc import Refusal, Request
from api.journal.sequencer import Sequencer
from api.sessions.session import Method, Session, bad_params
from api.view.orders import write_order, write_own_trade, write_trades
from api.view.records import Order, OwnTradeForm
from api.view.view import View
from goldx.protocol import events
from goldx.protocol.commands import MEMBER_COMMANDS, AnyCommand, OrderPlace, OrderReplace, QuoteSet
from goldx.protocol.units import BadValue
from goldx.protocol.wire import read_command, write_event

OPERATOR_METHODS: Final = (
    *("instrument.define", "account.open", "market.set_phase", "market.set_reference", "market.end_day"),
    *("member.kill", "member.halt", "member.restore"),
)
"""What a key with the permission ``operate`` may do; metal and money move through settlement alone."""

REFUSALS: Final = {
    "UNKNOWN_SYMBOL": "there is no such instrument",
    "UNKNOWN_ACCOUNT": "there is no such account",
    "UNKNOWN_ORDER": "there is no such open order of this account",
    "UNKNOWN_MEMBER": "there is no such member",
    "DUPLICATE_ID": "the id was used before; data holds what came of it",
    "BAD_PRICE": "the price is missing, not allowed here, or not a multiple of the tick",
    "BAD_QUANTITY": "the quantity is not a multiple of the lot, or more than allowed",
    "BAD_VALUE": "the parameters do not go together",
    "PRICE_LIMIT": "the price is beyond the price limits",
    "PHASE": "not in this phase of the market",
    "MARKET_CLOSED": "the market is closed",
    "HALTED": "trading is halted",
    "INSUFFICIENT_CASH": "the cash available does not cover it",
    "INSUFFICIENT_GOLD": "the gold available does not cover it",
    "WOULD_TAKE": "a post-only order would take",
    "CANNOT_FILL": "it cannot be filled whole now",
    "SELF_TRADE": "it would trade with an order of the same owner",
    "RESALE_LOCKED": "gold bought so recently may not be sold yet",
    "KILLED": "the member is killed",
    "TOO_LATE": "the time given has passed",
}


class Trading:
    """``methods`` is the table for the sessions."""

    def __init__(self, view: View, sequencer: Sequencer) -> None:
        self._view = view
        self._sequencer = sequencer
        self.methods: dict[str, Method] = {command.method: self._member for command in MEMBER_COMMANDS}
        self.methods |= dict.fromkeys(OPERATOR_METHODS, self._operator)

    def _member(self, session: Session, request: Request) -> None:
        principal = session.require("trade")
        command = self.read(request.method, request.params, session=session.name)
        account = self._view.accounts.get(command.account)  # type: ignore[union-attr]
        if account is None:
            raise Refusal("UNKNOWN_ACCOUNT", REFUSALS["UNKNOWN_ACCOUNT"])
        if account.member != principal.member:
            raise Refusal("NOT_PERMITTED", f"account {account.name} is not of member {principal.member}")
        self._submit(request, command, self._member_result)

    def _operator(self, session: Session, request: Request) -> None:
        principal = session.require("operate")
        command = self.read(request.method, request.params, by=str(principal.staff))
        self._submit(request, command, self.operator_result)

    @staticmethod
    def read(method: str, params: dict[str, Any], **own: str) -> AnyCommand:
        """A command with what the gateway alone may say of it: ``session`` or ``by``. Raises BadValue."""
        for name in ("session", "by"):
            if name in params:
                raise BadValue(name, params[name], "left out: the gateway sets it")
        if "session" in own and method not in (OrderPlace.method, QuoteSet.method):
            own = {}
        return read_command(method, params | own)

    def _submit(
        self, request: Request, command: AnyCommand, result: Callable[[AnyCommand, Outcome], dict[str, Any]]
    ) -> None:
        self._sequencer.submit(command, lambda outcome: _answer(request, command, outcome, result))

    def answer(self, request: Request, command: AnyCommand, outcome: Outcome | Refusal) -> None:
        """Answers a member's request with what came of its command."""
        _answer(request, command, outcome, self._member_result)

    def operator_result(self, command: AnyCommand, outcome: Outcome) -> dict[str, Any]:
        """The events of a venue's command. Raises Refusal."""
        self._refused(command, outcome)
        return {"events": [write_event(event) for event in outcome]}

    def _member_result(self, command: AnyCommand, outcome: Outcome) -> dict[str, Any]:
        self._refused(command, outcome)
        if isinstance(command, OrderPlace | QuoteSet):
            return self._placed(command, outcome)
        if isinstance(command, OrderReplace):
            return self._replaced(outcome)
        account = command.account  # type: ignore[union-attr]
        cancelled = [
            write_order(self._view.orders[event.order_id])
            for event in outcome
            if isinstance(event, events.OrderCancelled) and event.account == account and event.reason == "USER"
        ]
        if command.method == "order.cancel":
            return {"order": cancelled[0]}
        return {"orders": cancelled}

    def _placed(self, command: OrderPlace | QuoteSet, outcome: Outcome) -> dict[str, Any]:
        accepted = [
            self._view.orders[event.order_id]
            for event in outcome
            if isinstance(event, events.OrderAccepted) and event.account == command.account
        ]
        if isinstance(command, OrderPlace):
            order = accepted[0]
            return {"order": write_order(order), "trades": write_trades(order, self._view.fills)}
        bid, ask = accepted
        return {
            "bid": write_order(bid),
            "ask": write_order(ask),
            "trades": [trade for order in (bid, ask) for trade in write_trades(order, self._view.fills)],
        }

    def _replaced(self, outcome: Outcome) -> dict[str, Any]:
        """A replace whose new total has filled already ends the order: order.cancelled, reason REPLACED."""
        order_id = next(
            event.order_id
            for event in outcome
            if isinstance(event, events.OrderReplaced)
            or (isinstance(event, events.OrderCancelled) and event.reason == "REPLACED")
        )
        order = self._view.orders[order_id]
        return {"order": write_order(order), "trades": _trades_in(outcome, order)}

    def _refused(self, command: AnyCommand, outcome: Outcome) -> None:
        """Raises Refusal if the outcome is one."""
        for event in outcome:
            if isinstance(event, events.OrderRejected):
                first = self._first(self._view.orders.get(event.order_id or 0))
                raise Refusal(event.reason, REFUSALS.get(event.reason, event.reason), **first)
            if isinstance(event, events.CommandRejected) and event.method == command.method:
                data = {"subject": event.subject} if event.subject else {}
                if isinstance(command, QuoteSet) and event.reason == "DUPLICATE_ID":
                    data |= self._first(self._view.accounts[command.account].orders.get(f"{command.quote_id}/bid"))
                raise Refusal(event.reason, event.detail or REFUSALS.get(event.reason, event.reason), **data)

    def _first(self, order: Order | None) -> dict[str, Any]:
        """What came of the first order under a repeated id."""
        return {} if order is None else {"order": write_order(order), "trades": write_trades(order, self._view.fills)}


def _answer(
    request: Request,
    command: AnyCommand,
    outcome: Outcome | Refusal,
    result: Callable[[AnyCommand, Outcome], dict[str, Any]],
) -> None:
    if isinstance(outcome, Refusal):
        request.refuse(outcome)
        return
    try:
        body = result(command, outcome)
    except Refusal as refusal:
        request.refuse(refusal)
    except BadValue as error:
        bad_params(request, error)
    else:
        request.succeed(body)


def _trades_in(outcome: Outcome, order: Order) -> list[OwnTradeForm]:
    return [
        write_own_trade(event, order.side, order.order_id)
        for event in outcome
        if isinstance(event, events.Trade) and order.order_id in (event.maker_order_id, event.taker_order_id)
    ]
