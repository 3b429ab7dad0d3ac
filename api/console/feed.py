"""The market data that the pages show, kept current for all browsers together, by as many sessions as that takes.

When the gateway is away, the feed keeps its last data and reconnects until the gateway is back. The channels then begin
again with snapshots. A gateway that hangs, or no longer follows the market, keeps its connections, so the feed asks it
every second whether it works.
"""

import asyncio
from itertools import repeat
from typing import Final

import httpx
import structlog

from goldx.client.local_book import LocalBook, follow
from goldx.client.session import connect
from goldx.hosting.running import resolve_gateway_url
from goldx.hosting.settings import Settings
from goldx.retry import is_any_of, retry

RETRY_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 1.0
"""How often the gateway is asked whether it works, over the session and for its health."""
ANSWER_SECONDS: Final = 2.0
"""The time without a positive answer after which the gateway counts as not working."""

CONNECTED: Final = "connected"
STALE: Final = "stale"
"""There is a connection, but the gateway does not answer, or says that it does not follow the market."""
CONNECTING: Final = "connecting"
STANDING: Final = "standing"
"""The market data are current, but orders are not accepted or not matched."""
PRESENT: Final = frozenset((CONNECTED, STANDING))
"""The states in which the market data are current."""

log = structlog.get_logger(__name__)


class Feed:
    """The market data by symbol, in the order of definition."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.markets: dict[str, LocalBook] = {}
        self._connected = False
        self._follows = False
        """Whether the last answer of the gateway was that it follows the market."""
        self._healthy = False
        """Whether the last answer was that orders are accepted and matched, too."""

    @property
    def state(self) -> str:
        """CONNECTED, STANDING, STALE or CONNECTING: whether ``markets`` are current."""
        if not self._connected:
            return CONNECTING
        if not self._follows:
            return STALE
        return CONNECTED if self._healthy else STANDING

    async def run(self) -> None:
        """Follow the gateway until cancelled."""

        def report(error: Exception, _pause: float) -> None:
            log.warning("no gateway", error=str(error) or repr(error))

        checking = asyncio.create_task(self._keep_checking())
        try:
            # After any error the page must show data again as soon as the gateway is back.
            await retry(self._follow, is_any_of(Exception), repeat(RETRY_SECONDS), report)
        finally:
            checking.cancel()
            await asyncio.gather(checking, return_exceptions=True)

    async def _follow(self) -> None:
        url = resolve_gateway_url(self._settings)
        try:
            await follow(lambda: connect(url, heartbeat_seconds=CHECK_SECONDS), self.markets, self._have_begun)
        finally:
            self._connected = False

    def _have_begun(self) -> None:
        """All markets are followed now: until then some show what they showed before the connection was lost."""
        self._connected = True

    async def _keep_checking(self) -> None:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            while True:
                try:
                    answer = await client.get(f"{resolve_gateway_url(self._settings)}/health")
                    self._healthy = answer.status_code == httpx.codes.OK
                    self._follows = bool(answer.json()["follows_market"])
                except Exception as error:
                    # Whatever is wrong, an answer of before must not go on counting as the present one.
                    if self._follows:
                        log.warning("the gateway gives no health", error=str(error) or repr(error))
                    self._healthy = self._follows = False
                await asyncio.sleep(CHECK_SECONDS)
