"""``quote.mass``: what a session has to have for it, what it costs, and a result for each entry."""

from collections.abc import Callable
from typing import Any, Final

from api.edge.outcome import Outcome, Refusal
from api.edge.rpc import Request
from api.sessions.queries import unknown_account
from api.sessions.refused import explain
from api.sessions.session import Session
from api.sessions.targets import Targets
from api.view.orders import is_mass, write_order, write_trades
from api.view.records import Order
from api.view.view import View
from goldx.protocol import events, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.quote_commands import MassEntry, QuoteMass
from goldx.protocol.reasons import describe
from goldx.protocol.units import BadValue

SIDES: Final = {terms.BUY: "bid", terms.SELL: "ask"}
Submit = Callable[[Session, Request, AnyCommand, Callable[[AnyCommand, Outcome], dict[str, Any]]], None]


class MassQuotes:
    """The method. ``read`` makes the command of a request, ``submit`` is ``Trading.submit``."""

    def __init__(self, view: View, targets: Targets, read: Callable[..., AnyCommand], submit: Submit) -> None:
        self._view = view
        self._targets = targets
        self._read = read
        self._submit = submit

    def handle(self, session: Session, request: Request) -> None:
        """Submit the command of a request. Raises BadValue and Refusal.

        One that only cancels costs nothing if it names a side that may be open, so that it is never delayed; any other
        costs a unit and one more for every 20 entries. One that may place something needs cancel on disconnect.
        """
        try:
            command = self._command(session, request)
        except (BadValue, Refusal):
            session.bill()
            raise
        only_cancels = command.only_cancels()
        if not only_cancels or not self._targets.may_cancel(self._view.accounts[command.account], command):
            session.limit(request.method)
            session.charge(len(command.quotes))
        if not only_cancels:
            if not session.cancel_on_disconnect:
                reason = "NO_CANCEL_ON_DISCONNECT"
                raise Refusal(reason, describe(reason).text)
            session.has_mass_quoted = True
        self._submit(session, request, command, self._result)

    def _command(self, session: Session, request: Request) -> QuoteMass:
        principal = session.require("trade")
        command = self._read(request.method, request.params, session=session.name)
        assert isinstance(command, QuoteMass)
        account = self._view.accounts.get(command.account)
        if account is None or account.member != principal.member:
            raise unknown_account(command.account)
        return command

    def _result(self, command: AnyCommand, outcome: Outcome) -> dict[str, Any]:
        """Return what became of each entry, and the trades of the new orders. Raises Refusal."""
        assert isinstance(command, QuoteMass)
        entries = {f"{entry.symbol}/{entry.level}": entry for entry in command.quotes}
        sides: dict[str, dict[str, Order]] = {name: {} for name in entries}
        refused: dict[str, dict[str, Any]] = {}
        placed: list[Order] = []
        for event in outcome:
            if isinstance(event, events.CommandRejected) and event.method == command.method:
                entry = entries.get(event.subject or "")
                if entry is None:
                    raise Refusal(event.reason, event.detail or describe(event.reason).text)
                refused[str(event.subject)] = self._refused(entry, event)
            elif isinstance(event, events.OrderAccepted | events.OrderReplaced | events.OrderCancelled):
                order = self._view.orders[event.order_id]
                if order.account == command.account and is_mass(order):
                    level = f"{order.symbol}/{str(order.quote_id).partition('/')[2]}"
                    sides.setdefault(level, {})[SIDES[order.side]] = order
                    if isinstance(event, events.OrderAccepted):
                        placed.append(order)
        written = [
            {"symbol": entry.symbol, "level": entry.level}
            | {side: write_order(order) for side, order in sides[name].items()}
            | ({"refused": refused[name]} if name in refused else {})
            for name, entry in entries.items()
        ]
        return {
            "quotes": written,
            "trades": [trade for order in placed for trade in write_trades(order, self._view.fills)],
        }

    def _refused(self, entry: MassEntry, event: events.CommandRejected) -> dict[str, Any]:
        """Return why an entry was refused: the reason, a text, and where a field caused it, that field."""
        text = event.detail or describe(event.reason).text
        data: dict[str, Any] = {}
        found = explain(event.reason, entry, self._view.markets.get(entry.symbol), None)
        if found is not None:
            text, data = found
        return {"reason": event.reason, "message": text, **data}
