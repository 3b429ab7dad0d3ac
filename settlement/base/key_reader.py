"""Reading the register of keys over a separate connection, for a gateway that reads it all the time.

So a read never waits for the connection pool. After a few seconds without an answer the connection is dropped.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import make_url

from settlement.base.registry import Principal

READ_SECONDS: Final = 2.0

# The sum of the ids of the transactions that wrote the rows changes with every written row.
_STATE: Final = "SELECT count(*), sum(xmin::text::bigint) FROM api_key"
_LIVE: Final = "SELECT key_id, public_key, member, staff, permissions FROM api_key WHERE revoked_at IS NULL"


class RegisterAway(ConnectionError):
    """Raised when the register of keys cannot be read now."""


class KeyReader:
    """Reads the keys that are registered and not revoked, by key id."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._options: Mapping[str, Any] = parsed.get_dialect()().create_connect_args(parsed)[1]
        self._connection: Any = None
        self._state: object = None

    async def read(self) -> dict[str, Principal] | None:
        """Return the keys, or None if nothing has changed since the last call. Raises RegisterAway."""
        watchdog = asyncio.get_running_loop().call_later(2 * READ_SECONDS, self.close)
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(**self._options, timeout=READ_SECONDS)
            state = tuple(await self._connection.fetchrow(_STATE))
            if state == self._state:
                return None
            rows = await self._connection.fetch(_LIVE)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self.close()
            raise RegisterAway(f"the register of keys is not reachable ({type(error).__name__}: {error})") from error
        finally:
            watchdog.cancel()
        self._state = state
        return {row[0]: Principal(row[0], row[1], row[2], row[3], frozenset(row[4])) for row in rows}

    def close(self) -> None:
        """Drop the connection. A read that is under way raises RegisterAway."""
        if self._connection is not None:
            self._connection.terminate()
