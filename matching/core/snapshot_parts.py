"""The parts of a snapshot's records that older versions did not know, by their names and in their order.

A part that a record does not have is what it is without it: the default that stands here.
"""

from typing import Any, NamedTuple


class NewerState(NamedTuple):
    """The newer parts of the whole state."""

    proposed_terms: Any = ()
    busted: Any = ()
    bust_proposals: Any = ()
    regime: Any = None
    day_value: int = 0
    total_value: int = 0
    proposed_regime: Any = None
    deals: Any = ()
    notices: Any = ()
    requests: Any = ()
    limits: Any = ()
    opening: Any = ()
    claims: Any = ()


class NewerInstrument(NamedTuple):
    """The newer parts of an instrument."""

    retired: bool = False
    proposed_price: int = 0
    proposed_by: str = ""
    planned_at: int = 0
    held: bool = False
    delay: Any = (0, 0, 0)
    reopening_centre: int = 0
    extensions: int = 0


class NewerMember(NamedTuple):
    """The newer parts of a member."""

    protections: Any = ()


class NewerAccount(NamedTuple):
    """The newer parts of an account."""

    older_ids: Any = ()
    retired: bool = False


class NewerSpecial(NamedTuple):
    """The newer parts of an order's terms that few orders have."""

    group: str | None = None
    level: int = 0
