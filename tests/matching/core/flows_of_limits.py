"""Generated limits of members: set, lowered, raised by two or by one."""

from typing import TYPE_CHECKING

import msgspec

from goldx.protocol.commands import AnyCommand
from goldx.protocol.limit_commands import LimitsSet
from tests.matching.core.flow_parts import LOT, MIDDLE

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow


def lasting(flow: "Flow") -> AnyCommand:
    """Set limits that stay, and let much pass, by one person or by two; or limits for which a day is needed."""
    choose, number = flow.dice.choose, flow.dice.number
    member, account = choose((("m1", None), ("m1", "A"), ("m2", None), ("m2", "B"), ("m3", None)))
    most = {
        "max_order_value": number(3, 8) * MIDDLE,
        "max_order_quantity": number(3, 7) * LOT,
        "max_open_orders": number(2, 9),
        "max_net_purchases": number(4, 25) * MIDDLE,
        "max_net_sales": number(4, 25) * LOT,
    }
    given = {name: most[name] if flow.chance(50) else None for name in most}
    first = LimitsSet(member, "a limit", account, **given, by="ann")
    flow.queued.append(msgspec.structs.replace(first, by=choose(("bob", "bob", "ann"))))
    return first
