"""The whole exchange as processes: servers, engines, gateways, settlement, and a Proxy under each connection."""

import asyncio
import contextlib
import socket
from functools import partial
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.hosting.postgres import start_postgres
from goldx.hosting.settings import PREFIX
from goldx.hosting.valkey import start_valkey
from goldx.streams import redis_client
from goldx.streams.engines import LEADER, read_statuses
from goldx.streams.keys import Keys
from settlement.base import database
from tests.faults.processes import Kept, KeptServer, KeptService
from tests.faults.proxy import Proxy
from tests.faults.schedule import ENGINES, GATEWAYS, Fault

SETTINGS = {"lease_ms": "800", "snapshot_every": "200"}
START_SECONDS = 60.0


class ExchangeStack:
    """``async with ExchangeStack(folder) as stack``. ``redis`` and ``sql`` are never disturbed."""

    settings = SETTINGS

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[str, Proxy] = {}
        self.parts: dict[str, Kept] = {}
        self.redis: Redis
        self.sql: AsyncEngine
        self.epoch = 0
        """The newest that is known to have been led."""
        self._leader = ENGINES[0]
        self._ports: dict[str, int] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self.release()
        servers = [part for part in self.parts.values() if isinstance(part, KeptServer)]
        await asyncio.gather(*(part.end() for part in self.parts.values() if part not in servers))
        await asyncio.gather(*(line.close() for line in self.lines.values()))
        for name in ("sql", "redis"):
            if hasattr(self, name):
                await (self.sql.dispose() if name == "sql" else self.redis.aclose())
        await asyncio.gather(*(part.end() for part in servers))

    def url(self, gateway: str) -> str:
        """Where members find a gateway: at the near end of its line."""
        return f"http://127.0.0.1:{self.lines[f'members>{gateway}'].port}"

    def direct_url(self, gateway: str) -> str:
        """The gateway's own address, which no fault disturbs."""
        return f"http://127.0.0.1:{self._ports[gateway]}"

    @property
    def environment(self) -> dict[str, str]:
        """That of a command which works on this exchange over undisturbed connections."""
        return self._environment(self.redis_url, self._server("postgres").url)

    def do(self, fault: Fault) -> None:
        """Lets something go wrong; a pause or a hold ends by itself."""
        task = asyncio.create_task(self._do(fault))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def release(self) -> None:
        """Ends every pause and every hold."""
        for part in self.parts.values():
            part.resume()
        for line in self.lines.values():
            line.release()

    async def recovered(self) -> None:
        """Waits until every fault is over and everything runs again. Raises TimeoutError naming what does not."""
        await asyncio.gather(*self._running)
        self.release()
        needed = [part for name, part in self.parts.items() if name not in ENGINES]
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.gather(*(part.up.wait() for part in needed))
                while not await self._led():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            down = [part.name for part in self.parts.values() if not part.up.is_set()]
            raise TimeoutError(f"not running after {START_SECONDS:g} s: {', '.join(down)}") from None

    @property
    def complaints(self) -> list[str]:
        """What ended though nobody ended it."""
        return [complaint for part in self.parts.values() for complaint in part.complaints]

    async def _start(self) -> None:
        self.parts["postgres"] = KeptServer("postgres", partial(start_postgres, self.folder / "postgres"))
        self.parts["postgres"].begin()
        async with asyncio.timeout(START_SECONDS):
            await self._start_redis()
            await self.parts["postgres"].up.wait()
        self.redis, self.sql = redis_client.connect(self.redis_url), database.connect(self._server("postgres").url)
        for service in (*ENGINES, "settlement", *GATEWAYS):
            await self._add(service, self._server("postgres").url)
        await self.recovered()

    async def _start_redis(self) -> None:
        self.parts["valkey"] = KeptServer("valkey", partial(start_valkey, self.folder / "valkey"))
        self.parts["valkey"].begin()
        await self.parts["valkey"].up.wait()

    @property
    def redis_url(self) -> str:
        """Where Redis is, past every line."""
        return self._server("valkey").url

    async def _redis_line(self, service: str) -> str:
        """Where a service finds Redis: at the near end of its line."""
        near = self.folder / "lines" / f"{service}.valkey"
        await self._line(Proxy(f"{service}>valkey", near, Path(self.redis_url.removeprefix("unix://"))))
        return f"unix://{near}"

    async def _add(self, service: str, postgres: str) -> None:
        """A service, with lines to what it needs and, for a gateway, one to it."""
        valkey = await self._redis_line(service)
        own: dict[str, str] = {}
        if service in ENGINES:
            arguments = ("engine",) if service == ENGINES[0] else ("engine", "--standby")
        else:
            socket_name = ".s.PGSQL.5432"
            url = make_url(postgres)
            to_postgres = self.folder / "lines" / f"{service}.postgres"
            far = Path(str(url.query["host"])) / socket_name
            await self._line(Proxy(f"{service}>postgres", to_postgres / socket_name, far))
            postgres = url.set(query={"host": str(to_postgres)}).render_as_string(hide_password=False)
            arguments = ("gateway",) if service in GATEWAYS else ("settlement",)
        if service in GATEWAYS:
            port = self._ports[service] = free_port()
            await self._line(Proxy(f"members>{service}", ("127.0.0.1", 0), ("127.0.0.1", port)))
            own = {"gateway_id": service, "gateway_port": str(port)}
        environment = self._environment(valkey, postgres, **own)
        self.parts[service] = KeptService(service, arguments, environment, self.folder / f"{service}.log")
        self.parts[service].begin()

    def _environment(self, valkey: str, postgres: str, **own: str) -> dict[str, str]:
        values = (
            self.settings | {"data_dir": str(self.folder / "data"), "redis_url": valkey, "database_url": postgres} | own
        )
        return {PREFIX + name.upper(): value for name, value in values.items()}

    async def _line(self, line: Proxy) -> None:
        await line.open()
        self.lines[line.name] = line

    def _server(self, name: str) -> KeptServer:
        server = self.parts[name]
        assert isinstance(server, KeptServer)
        return server

    def _role(self, role: str) -> Kept:
        """The engine that leads, or the other one."""
        leads = role == "leader"
        return next(self.parts[name] for name in ENGINES if (name == self._leader) == leads)

    async def _led(self) -> bool:
        """Whether a running engine leads; looks which one it is."""
        pids = {self.parts[name].pid: name for name in ENGINES}
        with contextlib.suppress(RedisError, OSError):
            for status in await read_statuses(self.redis, Keys()):
                name = pids.get(int(status.engine.rpartition("-")[2]))
                if name is not None and status.role == LEADER:
                    self._leader, self.epoch = name, status.epoch
                    return True
        return False

    async def _do(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        if fault.target in self.lines:
            await self._disturb(self.lines[fault.target], fault)
            return
        part = self.parts.get(fault.target)
        if part is None:
            # Where Redis cannot say who leads, who led last counts as the leader.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._led(), 0.1)
            part = self._role(fault.target)
        if fault.kind == "kill":
            part.kill()
        elif fault.kind == "stop":
            part.stop()
        else:
            part.pause()
            await asyncio.sleep(fault.seconds)
            part.resume()

    async def _disturb(self, line: Proxy, fault: Fault) -> None:
        if fault.kind == "cut":
            line.cut()
        else:
            line.hold()
            await asyncio.sleep(fault.seconds)
            line.release()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
