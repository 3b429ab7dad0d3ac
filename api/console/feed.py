"""The market data that the pages show, kept current by one session with the gateway for all browsers.

When the gateway is away, the feed keeps its last data and reconnects until the gateway is back. The channels then begin
again with snapshots.
"""

from itertools import repeat
from typing import Final

import structlog

from goldx.client.local_book import LocalBook, follow
from goldx.client.session import connect
from goldx.hosting.running import resolve_gateway_url
from goldx.hosting.settings import Settings
from goldx.retry import is_any_of, retry

RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Feed:
    """The market data by symbol, in the order of definition. ``connected``: whether the gateway answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.markets: dict[str, LocalBook] = {}
        self.connected = False

    async def run(self) -> None:
        """Follow the gateway until cancelled."""

        def report(error: Exception, _pause: float) -> None:
            log.warning("no gateway", error=str(error) or repr(error))

        # Whatever the error is, the page must come back when the gateway does.
        await retry(self._follow, is_any_of(Exception), repeat(RETRY_SECONDS), report)

    async def _follow(self) -> None:
        try:
            async with connect(resolve_gateway_url(self._settings)) as client:
                self.connected = True
                await follow(client, self.markets)
        finally:
            self.connected = False
