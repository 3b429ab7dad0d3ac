"""The limits of members' groups of quotes, as the gateway sees them: what is set, and which groups are frozen."""

from typing import Any

import msgspec

from goldx.protocol.quote_events import ProtectionReset, ProtectionSet, ProtectionTriggered, QuoteEvent
from goldx.protocol.wire import write_event


class GroupLimits(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The limits of one group; ``triggered`` is the event that froze it, None while its quotes are accepted."""

    set_by: ProtectionSet
    triggered: ProtectionTriggered | None = None


class Protections:
    """The limits of all members. ``of_members`` has them by member, then by group."""

    def __init__(self) -> None:
        self.of_members: dict[str, dict[str, GroupLimits]] = {}

    def fold(self, member: str, event: QuoteEvent) -> None:
        """Fold an event about a group of a member."""
        groups = self.of_members.setdefault(member, {})
        known = groups.get(event.group)
        if isinstance(event, ProtectionSet):
            if event.window_ms is None:
                groups.pop(event.group, None)
            else:
                groups[event.group] = GroupLimits(event, None if known is None else known.triggered)
        elif known is not None:
            triggered = None if isinstance(event, ProtectionReset) else event
            groups[event.group] = GroupLimits(known.set_by, triggered)

    def of(self, member: str) -> list[GroupLimits]:
        """Return the limits of a member's groups, in the order of their names."""
        return [limits for _, limits in sorted(self.of_members.get(member, {}).items())]

    def write(self, member: str) -> list[dict[str, Any]]:
        """Return the limits of a member's groups in the protocol's form, in the order of their names."""
        return list(map(write_limits, self.of(member)))


def write_limits(limits: GroupLimits) -> dict[str, Any]:
    """Return the limits of one group in the protocol's form."""
    left_out = ("event", "sequence", "at", "account")
    written = {name: value for name, value in write_event(limits.set_by).items() if name not in left_out}
    written["frozen"] = limits.triggered is not None
    if (triggered := limits.triggered) is not None:
        event = write_event(triggered)
        written["triggered"] = {name: event[name] for name in ("at", "account", "bought", "sold")}
    return written
