"""Results of commands that make many events, such as cancels of all orders: written piece by piece, not at once."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, TypeGuard

from msgspec import Raw

from api.edge.outcome import Outcome
from api.edge.rpc import Request, encode
from api.sessions.session import Session
from api.view.orders import write_order
from api.view.view import View
from goldx.protocol import events
from goldx.protocol.bases import MemberCommand
from goldx.protocol.commands import AnyCommand, OrderCancelAll, QuoteCancel
from goldx.protocol.events import AnyEvent
from goldx.protocol.wire import write_event

PART: Final = 200
"""Events that are looked at, and written, in one piece of work."""
CANCELLING: Final = (OrderCancelAll, QuoteCancel)


class LongResult:
    """A result that is one long list: the orders that a member's command has cancelled, or all events of an operator's.

    The outcome must be that of a command that was not refused.
    """

    def __init__(self, command: AnyCommand, outcome: Outcome, view: View) -> None:
        self._name = "orders" if isinstance(command, MemberCommand) else "events"
        self._rows: list[bytes] = []
        self._left: Iterator[Any] = iter(outcome)
        self._write = self._order if isinstance(command, MemberCommand) else write_event
        self._account = getattr(command, "account", None)
        self._view = view

    def step(self) -> bool:
        """Write the next rows, and return whether there are more."""
        taken = list(islice(self._left, PART))
        self._rows.extend(encode(row) for event in taken if (row := self._write(event)) is not None)
        return bool(taken)

    def send(self, session: Session, request: Request) -> bool:
        """Write the next rows, and answer once all are written; return whether there is more to do."""
        if session.ended:
            return False
        if self.step():
            return True
        request.succeed(self.result())
        return False

    def result(self) -> dict[str, Raw]:
        """Return the whole result, once ``step`` has nothing left to do."""
        return {self._name: Raw(b"[" + b",".join(self._rows) + b"]")}

    def _order(self, event: Any) -> Any:
        if not is_cancel_of(event, self._account):
            return None
        return write_order(self._view.orders[event.order_id])


def long_result(command: AnyCommand, outcome: Outcome, view: View) -> LongResult | None:
    """Return the result of a command that is written piece by piece; None for a short one or a refusal."""
    if len(outcome) <= PART or (isinstance(command, MemberCommand) and not isinstance(command, CANCELLING)):
        return None
    refused = any(isinstance(event, events.CommandRejected) for event in outcome)
    return None if refused else LongResult(command, outcome, view)


def is_cancel_of(event: AnyEvent, account: str | None) -> TypeGuard[events.OrderCancelled]:
    """Return whether an event is the cancel of an order of an account that its owner has asked for."""
    return isinstance(event, events.OrderCancelled) and event.account == account and event.reason == "USER"
