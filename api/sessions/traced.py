"""The log of what was refused of requests with a trace, so that a member can ask the venue about one of them."""

from collections.abc import Callable
from typing import Any, Final

import structlog

from api.edge.allowance import TokenBucket
from api.edge.rpc import Request

log = structlog.get_logger()

LINES_A_SECOND: Final = 10
LINES_AT_ONCE: Final = 100
"""Lines that one session may cause; what is refused beyond them is counted in the next line."""


class TracedRefusals:
    """The lines about one session. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lines = TokenBucket(LINES_A_SECOND, LINES_AT_ONCE, clock())
        self._unlogged = 0

    def watch(self, request: Request, session: str) -> Request:
        """Return a request of the session of that name which is logged if it is answered with an error."""

        def answer(body: dict[str, Any]) -> None:
            if (error := body.get("error")) is not None:
                self._log(request, session, error)
            request.answer(body)

        return request._replace(answer=answer)

    def _log(self, request: Request, session: str, error: dict[str, Any]) -> None:
        if self._lines.take(self._clock()):
            self._lines.spend(self._clock(), -1)  # so that a flood does not keep later ones out
            self._unlogged += 1
            return
        unlogged, self._unlogged = self._unlogged, 0
        log.info(
            "a traced request was refused",
            trace=request.trace,
            method=request.method[:64],
            session=session,
            code=error["code"],
            reason=error.get("data", {}).get("reason"),
            unlogged_before=unlogged,
        )
