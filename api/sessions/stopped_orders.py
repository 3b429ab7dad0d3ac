"""Cancelling all open orders of members that are suspended or ended.

The sessions of a member's keys end first, and cancel their orders; this cancels the remaining ones, such as orders that
outlive their session. Every gateway does it as long as its view shows such an order, so none is forgotten when a
gateway is lost; if two gateways do it at once, the second one is refused.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from api.edge.key_register import KeyRegister
from api.edge.outcome import Outcome, Refusal
from api.view.view import View
from goldx.protocol.commands import AnyCommand, MarketCancelOrders

CHECK_SECONDS: Final = 0.5
REASON: Final = "the member is suspended or ended"


async def cancel_orders_of_stopped(
    register: KeyRegister, view: View, place: Callable[[AnyCommand], Awaitable[Outcome]]
) -> None:
    """Cancel such orders, until this task is cancelled. ``place`` places a command."""
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        for member, by in register.stopped_members().items():
            for command in tuple(_cancels(view, member, by)):
                with contextlib.suppress(Refusal, TimeoutError):
                    await place(command)


def _cancels(view: View, member: str, by: str) -> Iterator[MarketCancelOrders]:
    for account in view.members.get(member, ()):
        for symbol in sorted({order.symbol for order in view.accounts[account].live.values()}):
            yield MarketCancelOrders(symbol, REASON, account, by)
