"""The orders that cancels and replaces name. A command that names none is refused before it reaches the journal.

An order may be named by its number or by any client id that it has had; if both are given they must name the same one.
A command that is not answered yet may place the order that the next one names; such a next one is accepted.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from api.sessions.refused import unknown_order
from api.view.accounts import Account
from api.view.orders import MASS
from api.view.records import Order
from api.view.view import View
from goldx.protocol import terms
from goldx.protocol.commands import (
    AnyCommand,
    OrderCancel,
    OrderCancelAll,
    OrderPlace,
    OrderReplace,
    QuoteCancel,
    QuoteSet,
)
from goldx.protocol.quote_commands import QuoteMass
from goldx.protocol.units import BadValue

NamingCommand: TypeAlias = OrderCancel | OrderCancelAll | OrderReplace | QuoteCancel
NAMING_COMMANDS: Final = (OrderCancel, OrderCancelAll, OrderReplace, QuoteCancel)
"""Commands about existing orders."""


class Targets:
    """Finds the orders that members' commands name, in the view and among unanswered commands."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._unanswered: dict[tuple[str, str], int] = {}
        """The number of unanswered commands that may place an order, by account and client id, or symbol of a quote."""

    def took(self, command: AnyCommand) -> None:
        """Remember a command that may place an order, until ``answered``."""
        for key in _keys(command):
            self.expect(key)

    def answered(self, command: AnyCommand) -> None:
        """Forget a command, as its outcome is in the view."""
        for key in _keys(command):
            self.forget(key)

    def expect(self, key: tuple[str, str]) -> None:
        """Remember an unanswered command that may place an order with this account and client id, or symbol."""
        self._unanswered[key] = self._unanswered.get(key, 0) + 1

    def forget(self, key: tuple[str, str]) -> None:
        """Forget one of the commands that ``expect`` was called for."""
        left = self._unanswered.pop(key) - 1
        if left:
            self._unanswered[key] = left

    def is_open(self, account: Account, order_id: int | None, client_order_id: str | None) -> bool:
        """Return whether an id is the present one of an open order, or of one that an unanswered command may place."""
        if client_order_id is None:
            return order_id in account.live and account.live[order_id].quote_id is None
        if order_id is not None:
            return False
        order = account.orders.get(client_order_id)
        if order is None:
            return (account.name, client_order_id) in self._unanswered
        return order.live and order.client_order_id == client_order_id and order.quote_id is None

    def resolve(self, account: Account, command: NamingCommand) -> NamingCommand | None:
        """Return the command as it goes to the journal, or None if it names nothing that this gateway knows.

        Raises BadValue for ids that are missing or differ, and Refusal (UNKNOWN_ORDER) for an order that has ended.
        """
        if isinstance(command, OrderCancelAll):
            return command if self._has_any(account, command) else None
        if isinstance(command, QuoteCancel):
            quoted = any(order.quote_id is not None and order.symbol == command.symbol for order in _live(account))
            return command if quoted or (account.name, command.symbol) in self._unanswered else None
        order = find_order(self._view, account, command.order_id, command.client_order_id)
        client_order_id = command.client_order_id
        if order is None:
            coming = command.order_id is None and (account.name, client_order_id) in self._unanswered
            return command if coming else None
        if not order.live or order.quote_id is not None:
            raise unknown_order(command)
        if client_order_id is not None and (command.order_id is not None or order.client_order_id != client_order_id):
            return replace(command, order_id=order.order_id, client_order_id=None)
        return command

    def may_cancel(self, account: Account, command: QuoteMass) -> bool:
        """Return whether a zero of mass quotes names a side that is open, or that an unanswered command may place."""
        zeros: set[tuple[str, str | None, int]] = set()
        for entry in command.quotes:
            if (account.name, entry.symbol) in self._unanswered:
                return True
            for side, quantity in ((terms.BUY, entry.bid_quantity), (terms.SELL, entry.ask_quantity)):
                if quantity == 0:
                    zeros.add((entry.symbol, f"{MASS}{entry.level}", side))
        return any((order.symbol, order.quote_id, order.side) in zeros for order in _live(account))

    def _has_any(self, account: Account, command: OrderCancelAll) -> bool:
        for order in _live(account):
            if command.symbol in (None, order.symbol) and command.side in (None, order.side):
                return True
        return any(name == account.name for name, _ in self._unanswered)


def find_order(view: View, account: Account, order_id: int | None, client_order_id: str | None) -> Order | None:
    """Return the order of an account with these ids, open or ended today; None if there is none. Raises BadValue."""
    if order_id is None and client_order_id is None:
        raise BadValue("order_id", None, "given, or client_order_id")
    named = None if client_order_id is None else account.orders.get(client_order_id)
    if order_id is None:
        return named
    order = view.orders.get(order_id)
    if order is not None and order.account != account.name:
        order = None
    if client_order_id is not None and named is not order:
        raise BadValue("client_order_id", client_order_id, f"left out, or an id of order {order_id}")
    return order


def _live(account: Account) -> Any:
    return account.live.values()


def _keys(command: AnyCommand) -> Iterable[tuple[str, str]]:
    if isinstance(command, OrderPlace):
        return ((command.account, command.client_order_id),)
    if isinstance(command, OrderReplace):
        return () if command.new_client_order_id is None else ((command.account, command.new_client_order_id),)
    if isinstance(command, QuoteSet):
        return ((command.account, command.symbol),)
    if isinstance(command, QuoteMass) and not command.only_cancels():
        return {(command.account, entry.symbol) for entry in command.quotes}
    return ()
