"""A Redis whose primary the Sentinels name: ``redis+sentinel://host:port,host:port/service?db=0``.

Every new connection asks the Sentinels which server is the primary now. When a primary fails, its connections break,
and the next ones go to its successor.
"""

from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection
from redis.backoff import NoBackoff

SCHEME: Final = "redis+sentinel"
DEFAULT_PORT: Final = 26_379
ANSWER_SECONDS: Final = 1.0
"""How long one Sentinel may take to answer; then the next is asked."""
OPTIONS: Final = ("db", "sentinel_username", "sentinel_password")


class Address(NamedTuple):
    """The parts of a URL. ``user`` and ``password`` are for the servers, those in ``sentinel`` for the Sentinels."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    db: int
    user: str | None
    password: str | None
    sentinel: dict[str, str]


def parse(url: str) -> Address:
    """Return the parts of a URL of the form above. Raises ValueError naming what is wrong with it."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service = parts.path.removeprefix("/")
    sentinels = tuple(_host(name) for name in hosts.split(","))
    if parts.scheme != SCHEME or not service or "/" in service:
        raise ValueError(f"not of the form {SCHEME}://host:port,host:port/service?db=0")
    options = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
    for name in options:
        if name not in OPTIONS:
            raise ValueError(f"option {name}: there are {', '.join(OPTIONS)}")
    db = options.get("db", "0")
    if not db.isascii() or not db.isdigit():
        raise ValueError(f"db {db!r} is not a whole number")
    secrets = {name.removeprefix("sentinel_"): value for name, value in options.items() if name != "db"}
    return Address(sentinels, service, int(db), unquote(user) or None, unquote(password) or None, secrets)


def _host(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() else DEFAULT_PORT if not port else 0
    if not host or not 0 < number < 65_536:
        raise ValueError(f"{text!r} is not a host with a port from 1 to 65535")
    return host, number


_SENTINEL: Any = Sentinel
"""redis-py's class, whose constructor has no types."""


class SentinelPool(SentinelConnectionPool):
    """Connections to the primary. Disconnecting the pool closes the connections to the Sentinels too."""

    def __init__(self, url: str, mixin: type[Any], options: dict[str, Any]) -> None:
        address = parse(url)
        limits = {
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": ANSWER_SECONDS,
            "socket_connect_timeout": ANSWER_SECONDS,
        }
        sentinels: Any = _SENTINEL(address.sentinels, sentinel_kwargs={**limits, **address.sentinel})
        start: Any = super().__init__
        start(
            address.service,
            sentinels,
            connection_class=type("Connection", (mixin, SentinelManagedConnection), {}),
            db=address.db,
            username=address.user,
            password=address.password,
            **options,
        )

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()
