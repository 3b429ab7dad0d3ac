"""The command that sets the limits of a member. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar

from goldx.protocol.bases import OperatorCommand


class LimitsSet(OperatorCommand, tag=62, frozen=True):
    """Sets all limits of a member for its accounts together, or of one of its accounts. None: no such limit.

    ``max_order_value`` in fen and ``max_order_quantity`` in fine mg are for one order, ``max_open_orders`` is a number,
    ``max_net_purchases`` in fen and ``max_net_sales`` in fine mg are for a trading day.

    Limits that are lower hold at once. If one is raised or taken away, all of them hold only when a second person sends
    the same command on the same trading day. ``reason`` is a text for the records.
    """

    method: ClassVar[str] = "limits.set"
    member: str
    reason: str
    account: str | None = None
    max_order_value: int | None = None
    max_order_quantity: int | None = None
    max_open_orders: int | None = None
    max_net_purchases: int | None = None
    max_net_sales: int | None = None
    by: str = ""
