"""The fast path: plain orders and cancels, from their bytes to a command, and from its events to the answer.

A plain ``order.place`` or ``order.cancel``, well formed, of a session that may send it, is decoded in one step into
typed records and answered without building dicts. Every other message is left to the general path (``api.edge.rpc``,
``api.sessions.trading``), which has all the rules and names what is wrong. Where both paths lead, they lead to the same
command and to the same bytes of the answer (``tests/api/sessions/test_quick_rules.py``).
"""

from functools import lru_cache, partial
from typing import Any, Final

import msgspec

from api.edge.outcome import Outcome, Refusal
from api.edge.rpc import Request
from api.edge.rpc import encode as encode_json
from api.journal.sequencer import Sequencer
from api.sessions.calls import Cancel, Place, decode
from api.sessions.session import Session
from api.sessions.trading import Trading
from api.view.accounts import Account
from api.view.orders import write_order, write_trades
from api.view.records import Answer, Cancelled, Placed
from api.view.view import View
from goldx.protocol import terms, units
from goldx.protocol.commands import OrderCancel, OrderPlace
from goldx.protocol.events import OrderAccepted, OrderCancelled
from goldx.protocol.units import IDENTIFIER, BadValue

_price = lru_cache(8_192)(units.parse_price)
_weight = lru_cache(8_192)(units.parse_weight)
_SIDES: Final = {word: number for number, word in enumerate(terms.SIDES)}
_TYPES: Final = {word: number for number, word in enumerate(terms.ORDER_TYPES)}
_TIMES: Final = {word: number for number, word in enumerate(terms.TIMES_IN_FORCE)}


class Quick:
    """The fast path of all sessions."""

    def __init__(self, view: View, sequencer: Sequencer, trading: Trading) -> None:
        self._view = view
        self._sequencer = sequencer
        self._trading = trading
        self._targets = trading.targets

    def take(self, session: Session, data: bytes) -> bool:
        """Handle a message if it is a plain order or cancel, and return whether it was."""
        principal = session.principal
        if principal is None or "trade" not in principal.permissions:
            return False
        try:
            call = decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        account = self._view.accounts.get(call.params.account)
        if call.trace is not None or account is None or account.member != principal.member:
            return False
        command = self._command(call.params, account, session.name)
        if command is None:
            return False
        try:
            session.limit(command.method)
            self._sequencer.submit(command, partial(self._answer, session, call.id, command), session.share)
            if isinstance(command, OrderPlace):
                self._targets.expect((command.account, command.client_order_id))
        except Refusal as refusal:
            _request(session, call.id, command).refuse(refusal)
        return True

    def _command(self, params: Place | Cancel, account: Account, session: str) -> OrderPlace | OrderCancel | None:
        """Return the command of a request, or None if a parameter is not as the general path demands."""
        client_id = params.client_order_id
        if client_id is not None and IDENTIFIER.fullmatch(client_id) is None:
            return None
        if isinstance(params, Cancel):
            if not self._targets.is_open(account, params.order_id, client_id):
                return None
            return OrderCancel(params.account, params.order_id, client_id)
        if params.symbol not in self._view.markets:
            return None
        try:
            price = None if params.price is None else _price(params.price)
            quantity = _weight(params.quantity)
        except BadValue:
            return None
        if not quantity:
            return None
        return OrderPlace(
            params.account,
            params.client_order_id,
            params.symbol,
            _SIDES[params.side],
            _TYPES[params.type],
            quantity,
            price,
            _TIMES[params.time_in_force],
            post_only=params.post_only,
            session=session,
        )

    def _answer(self, session: Session, number: int, command: OrderPlace | OrderCancel, outcome: Any) -> None:
        if isinstance(command, OrderPlace):
            self._targets.forget((command.account, command.client_order_id))
        result = None if isinstance(outcome, Refusal) else self._result(command, outcome)
        if result is None:
            self._trading.answer(_request(session, number, command), command, outcome)
        else:
            session.send(encode_json(Answer("2.0", number, result)))

    def _result(self, command: OrderPlace | OrderCancel, outcome: Outcome) -> Placed | Cancelled | None:
        """Return the result of a command that was carried out, None for any other.

        The outcome also holds the events of what fell due by the clock before the command. So the event of the command
        is recognised by its order.
        """
        if isinstance(command, OrderPlace):
            for event in outcome:
                if (
                    type(event) is OrderAccepted
                    and event.client_order_id == command.client_order_id
                    and event.account == command.account
                ):
                    order = self._view.orders[event.order_id]
                    return Placed(write_order(order), write_trades(order, self._view.fills))
            return None
        for event in outcome:
            if type(event) is OrderCancelled and event.reason == "USER" and event.account == command.account:
                return Cancelled(write_order(self._view.orders[event.order_id]))
        return None


def _request(session: Session, number: int, command: OrderPlace | OrderCancel) -> Request:
    """Return the request as the general path would have it."""

    def answer(body: dict[str, Any]) -> None:
        session.send(encode_json({"jsonrpc": "2.0", "id": number, **body}))

    return Request(command.method, {}, answer)
