"""The events of the limits of members. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import Event


class LimitsProposed(Event, tag=62, frozen=True):
    """One person has proposed limits that are higher than those in force, or are to be taken away.

    They hold once somebody other than ``by`` sends the same command on the same trading day.
    """

    event: ClassVar[str] = "limits.proposed"
    member: str
    account: str | None
    max_order_value: int | None
    max_order_quantity: int | None
    max_open_orders: int | None
    max_net_purchases: int | None
    max_net_sales: int | None
    reason: str
    by: str


class LimitsChanged(Event, tag=63, frozen=True):
    """The limits of a member, or of one of its accounts, from now on. None: no such limit.

    ``proposed_by`` is the first of two persons, None where one was enough.
    """

    event: ClassVar[str] = "limits.changed"
    member: str
    account: str | None
    max_order_value: int | None
    max_order_quantity: int | None
    max_open_orders: int | None
    max_net_purchases: int | None
    max_net_sales: int | None
    reason: str
    by: str
    proposed_by: str | None = None


LimitEvent: TypeAlias = LimitsProposed | LimitsChanged
