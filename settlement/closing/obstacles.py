"""Obstacles of a close: what stands in its way, and who can clear it."""

from collections.abc import Sequence
from typing import NamedTuple

from settlement.base.refusal import Refused


class Obstacle(NamedTuple):
    """``step``: what cannot be done. ``who`` can clear it, and by which command."""

    step: str
    what: str
    who: str


class Blocked(Refused):
    """A step of the close cannot be done (DAY_BLOCKED)."""

    def __init__(self, day: str, obstacles: Sequence[Obstacle]) -> None:
        first = obstacles[0]
        more = f", and {len(obstacles) - 1} more" if len(obstacles) > 1 else ""
        super().__init__("DAY_BLOCKED", f"{day} cannot be closed: {first.step}: {first.what}{more}; {first.who}")
        self.obstacles = tuple(obstacles)
