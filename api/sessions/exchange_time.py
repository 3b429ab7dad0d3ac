"""The time of a gateway beside the newest event that it has folded, for members that compare clocks and feeds."""

import time
from typing import Any

from api.view.view import View


def now_ms() -> int:
    """Return the time of this machine in ms since the epoch."""
    return time.time_ns() // 1_000_000


def exchange_time(view: View) -> dict[str, Any]:
    """Return the answer to ``exchange.time``.

    ``time`` is the gateway's own clock, ``event_at`` the journal's time of the event ``sequence`` of the event stream,
    both in ms since the epoch; 0 and 0 before the first event. ``trouble`` says why orders are not taken or not matched
    as this gateway sees it, or is None.
    """
    return {"time": now_ms(), "event_at": view.at, "sequence": view.sequence, "trouble": view.trouble}
