"""What the pages show, kept up to date by one session with the gateway for all browsers.

When the gateway goes away the feed says so, keeps what it last knew, and connects again until it is back; the channels
then start anew with snapshots.
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
    """``markets`` by symbol, in the order of their definition; ``connected`` while the gateway answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.markets: dict[str, LocalBook] = {}
        self.connected = False

    async def run(self) -> None:
        """Follows the gateway until cancelled."""

        def report(error: Exception, _pause: float) -> None:
            log.warning("no gateway", error=str(error) or repr(error))

        # Whatever the error is, the page must come back when the gateway does.
        await retry(self._follow, is_any_of(Exception), repeat(RETRY_SECONDS), report)

    async def _follow(self) -> None:
        try:
            async with connect(resolve_gateway_url(self._settings)) as exchange:
                self.connected = True
                await follow(exchange, self.markets)
        finally:
            self.connected = False
