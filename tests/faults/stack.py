"""The whole exchange as processes: servers, engines, gateways, settlement, and a proxy in each connection."""

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
from tests.faults.processes import RestartedProcess, ServerProcess, ServiceProcess
from tests.faults.proxy import Proxy
from tests.faults.schedule import ENGINES, GATEWAYS, Fault

SETTINGS = {"lease_ms": "800", "snapshot_every": "200", "view_snapshot_every": "500"}
START_SECONDS = 60.0


class ExchangeStack:
    """``async with ExchangeStack(folder) as stack``. No fault disturbs the connections ``redis`` and ``sql``."""

    settings = SETTINGS

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proxies: dict[str, Proxy] = {}
        self.processes: dict[str, RestartedProcess] = {}
        self.redis: Redis
        self.sql: AsyncEngine
        self.epoch = 0
        """The newest epoch that is known to have had a leader."""
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
        servers = [process for process in self.processes.values() if isinstance(process, ServerProcess)]
        await asyncio.gather(*(process.end() for process in self.processes.values() if process not in servers))
        await asyncio.gather(*(proxy.close() for proxy in self.proxies.values()))
        for name in ("sql", "redis"):
            if hasattr(self, name):
                await (self.sql.dispose() if name == "sql" else self.redis.aclose())
        await asyncio.gather(*(process.end() for process in servers))

    def url(self, gateway: str) -> str:
        """Return the URL of a gateway for members, at its proxy."""
        return f"http://127.0.0.1:{self.proxies[f'members>{gateway}'].port}"

    def direct_url(self, gateway: str) -> str:
        """Return the URL of a gateway past its proxy."""
        return f"http://127.0.0.1:{self._ports[gateway]}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a ``goldx`` command works on this exchange, past the proxies."""
        return self._environment(self.redis_url, self._server("postgres").url)

    def inject(self, fault: Fault) -> None:
        """Let a fault happen at its time; a pause or a hold ends by itself."""
        task = asyncio.create_task(self._inject(fault))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def release(self) -> None:
        """End every pause and every hold."""
        for process in self.processes.values():
            process.resume()
        for proxy in self.proxies.values():
            proxy.release()

    async def wait_until_recovered(self) -> None:
        """Wait until every fault is over and everything runs again. Raises TimeoutError naming what does not."""
        await asyncio.gather(*self._running)
        self.release()
        needed = [process for name, process in self.processes.items() if name not in ENGINES]
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.gather(*(process.up.wait() for process in needed))
                while not await self._has_leader():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            down = [process.name for process in self.processes.values() if not process.up.is_set()]
            raise TimeoutError(f"not running after {START_SECONDS:g} s: {', '.join(down)}") from None

    @property
    def unexpected_ends(self) -> list[str]:
        """A sentence for every end of a process that was no fault of the plan."""
        return [end for process in self.processes.values() for end in process.unexpected_ends]

    async def _start(self) -> None:
        self.processes["postgres"] = ServerProcess("postgres", partial(start_postgres, self.folder / "postgres"))
        self.processes["postgres"].begin()
        async with asyncio.timeout(START_SECONDS):
            await self._start_redis()
            await self.processes["postgres"].up.wait()
        self.redis, self.sql = redis_client.connect(self.redis_url), database.connect(self._server("postgres").url)
        for service in (*ENGINES, "settlement", *GATEWAYS):
            await self._add(service, self._server("postgres").url)
        await self.wait_until_recovered()

    async def _start_redis(self) -> None:
        self.processes["valkey"] = ServerProcess("valkey", partial(start_valkey, self.folder / "valkey"))
        self.processes["valkey"].begin()
        await self.processes["valkey"].up.wait()

    @property
    def redis_url(self) -> str:
        """The URL of Redis past the proxies."""
        return self._server("valkey").url

    async def _redis_proxy(self, service: str) -> str:
        """Open the proxy between a service and Redis, and return the URL of its near end."""
        near = self.folder / "proxies" / f"{service}.valkey"
        await self._open_proxy(Proxy(f"{service}>valkey", near, Path(self.redis_url.removeprefix("unix://"))))
        return f"unix://{near}"

    async def _add(self, service: str, postgres: str) -> None:
        """Start a service with proxies to the servers that it needs and, for a gateway, one from its members."""
        valkey = await self._redis_proxy(service)
        own: dict[str, str] = {}
        if service in ENGINES:
            arguments = ("engine",) if service == ENGINES[0] else ("engine", "--standby")
        else:
            socket_name = ".s.PGSQL.5432"
            url = make_url(postgres)
            to_postgres = self.folder / "proxies" / f"{service}.postgres"
            far = Path(str(url.query["host"])) / socket_name
            await self._open_proxy(Proxy(f"{service}>postgres", to_postgres / socket_name, far))
            postgres = url.set(query={"host": str(to_postgres)}).render_as_string(hide_password=False)
            arguments = ("gateway",) if service in GATEWAYS else ("settlement",)
        if service in GATEWAYS:
            port = self._ports[service] = free_port()
            await self._open_proxy(Proxy(f"members>{service}", ("127.0.0.1", 0), ("127.0.0.1", port)))
            own = {"gateway_id": service, "gateway_port": str(port)}
        environment = self._environment(valkey, postgres, **own)
        self.processes[service] = ServiceProcess(service, arguments, environment, self.folder / f"{service}.log")
        self.processes[service].begin()

    def _environment(self, valkey: str, postgres: str, **own: str) -> dict[str, str]:
        values = (
            self.settings | {"data_dir": str(self.folder / "data"), "redis_url": valkey, "database_url": postgres} | own
        )
        return {PREFIX + name.upper(): value for name, value in values.items()}

    async def _open_proxy(self, proxy: Proxy) -> None:
        await proxy.open()
        self.proxies[proxy.name] = proxy

    def _server(self, name: str) -> ServerProcess:
        server = self.processes[name]
        assert isinstance(server, ServerProcess)
        return server

    def _with_role(self, role: str) -> RestartedProcess:
        """Return the engine that leads, or the other one."""
        leads = role == "leader"
        return next(self.processes[name] for name in ENGINES if (name == self._leader) == leads)

    async def _has_leader(self) -> bool:
        """Return whether a running engine leads, and remember which one it is."""
        pids = {self.processes[name].pid: name for name in ENGINES}
        with contextlib.suppress(RedisError, OSError):
            for status in await read_statuses(self.redis, Keys()):
                name = pids.get(int(status.engine.rpartition("-")[2]))
                if name is not None and status.role == LEADER:
                    self._leader, self.epoch = name, status.epoch
                    return True
        return False

    async def _inject(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        if fault.target in self.proxies:
            await self._inject_into(self.proxies[fault.target], fault)
            return
        process = self.processes.get(fault.target)
        if process is None:
            # Where Redis does not answer, the engine that led last counts as the leader.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_leader(), 0.1)
            process = self._with_role(fault.target)
        if fault.kind == "kill":
            process.kill()
        elif fault.kind == "stop":
            process.stop()
        else:
            process.pause()
            await asyncio.sleep(fault.seconds)
            process.resume()

    async def _inject_into(self, proxy: Proxy, fault: Fault) -> None:
        if fault.kind == "cut":
            proxy.cut()
        else:
            proxy.hold()
            await asyncio.sleep(fault.seconds)
            proxy.release()


def free_port() -> int:
    """Return a TCP port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
