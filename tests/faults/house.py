"""The whole exchange as processes: servers, engines, gateways, settlement, and a Line under each connection."""

import asyncio
import socket
from functools import partial
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx import embedded, streams
from goldx.settings import PREFIX
from settlement import database
from tests.faults.lines import Line
from tests.faults.processes import Kept, KeptServer, KeptService
from tests.faults.schedule import ENGINES, GATEWAYS, Fault

SETTINGS = {"lease_ms": "800", "snapshot_every": "200"}
START_SECONDS = 60.0


class House:
    """``async with House(folder) as house``. ``redis`` and ``sql`` are the campaign's own, undisturbed connections."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[str, Line] = {}
        self.parts: dict[str, Kept] = {
            "valkey": KeptServer("valkey", partial(embedded.start_valkey, folder / "valkey")),
            "postgres": KeptServer("postgres", partial(embedded.start_postgres, folder / "postgres")),
        }
        self.redis: Redis
        self.sql: AsyncEngine
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
        services = [part for name, part in self.parts.items() if name not in ("valkey", "postgres")]
        await asyncio.gather(*(part.end() for part in services))
        await asyncio.gather(*(line.close() for line in self.lines.values()))
        for name in ("sql", "redis"):
            if hasattr(self, name):
                await (self.sql.dispose() if name == "sql" else self.redis.aclose())
        await asyncio.gather(self.parts["valkey"].end(), self.parts["postgres"].end())

    def url(self, gateway: str) -> str:
        """Where members find a gateway: at the near end of its line."""
        return f"http://127.0.0.1:{self.lines[f'members>{gateway}'].port}"

    def direct_url(self, gateway: str) -> str:
        """The gateway's own address, which no fault disturbs."""
        return f"http://127.0.0.1:{self._ports[gateway]}"

    @property
    def environment(self) -> dict[str, str]:
        """That of a command which works on this exchange over undisturbed connections."""
        return self._environment(self._server("valkey").url, self._server("postgres").url)

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
                while not self._role("leader").epoch:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            down = [part.name for part in self.parts.values() if not part.up.is_set()]
            raise TimeoutError(f"not running after {START_SECONDS:g} s: {', '.join(down)}") from None

    @property
    def complaints(self) -> list[str]:
        """What ended though nobody ended it."""
        return [complaint for part in self.parts.values() for complaint in part.complaints]

    @property
    def epoch(self) -> int:
        """The newest epoch that was led."""
        return self._role("leader").epoch

    async def _start(self) -> None:
        for name in ("valkey", "postgres"):
            self.parts[name].begin()
        async with asyncio.timeout(START_SECONDS):
            await asyncio.gather(*(self.parts[name].up.wait() for name in ("valkey", "postgres")))
        valkey, postgres = self._server("valkey").url, self._server("postgres").url
        self.redis, self.sql = streams.connect(valkey), database.connect(postgres)
        for service in (*ENGINES, "settlement", *GATEWAYS):
            await self._add(service, valkey, postgres)
        await self.recovered()

    async def _add(self, service: str, valkey: str, postgres: str) -> None:
        """A service, with lines to what it needs and, for a gateway, one to it."""
        to_valkey = self.folder / "lines" / f"{service}.valkey"
        await self._line(Line(f"{service}>valkey", to_valkey, Path(valkey.removeprefix("unix://"))))
        own: dict[str, str] = {}
        if service in ENGINES:
            arguments = ("engine",)
        else:
            socket_name = ".s.PGSQL.5432"
            url = make_url(postgres)
            to_postgres = self.folder / "lines" / f"{service}.postgres"
            far = Path(str(url.query["host"])) / socket_name
            await self._line(Line(f"{service}>postgres", to_postgres / socket_name, far))
            postgres = url.set(query={"host": str(to_postgres)}).render_as_string(hide_password=False)
            arguments = ("gateway",) if service in GATEWAYS else ("settlement",)
        if service in GATEWAYS:
            port = self._ports[service] = _free_port()
            await self._line(Line(f"members>{service}", ("127.0.0.1", 0), ("127.0.0.1", port)))
            own = {"gateway_id": service, "gateway_port": str(port)}
        environment = self._environment(f"unix://{to_valkey}", postgres, **own)
        self.parts[service] = KeptService(service, arguments, environment, self.folder / f"{service}.log")
        self.parts[service].begin()

    def _environment(self, valkey: str, postgres: str, **own: str) -> dict[str, str]:
        values = SETTINGS | {"data_dir": str(self.folder / "data"), "redis_url": valkey, "database_url": postgres} | own
        return {PREFIX + name.upper(): value for name, value in values.items()}

    async def _line(self, line: Line) -> None:
        await line.open()
        self.lines[line.name] = line

    def _server(self, name: str) -> KeptServer:
        server = self.parts[name]
        assert isinstance(server, KeptServer)
        return server

    def _role(self, role: str) -> KeptService:
        """The engine that leads, or the other one."""
        engines = [part for name in ENGINES if isinstance(part := self.parts[name], KeptService)]
        engines.sort(key=lambda engine: engine.epoch, reverse=True)
        return engines[0 if role == "leader" else 1]

    async def _do(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        if fault.target in self.lines:
            await self._disturb(self.lines[fault.target], fault)
            return
        part = self._role(fault.target) if fault.target in ("leader", "standby") else self.parts[fault.target]
        if fault.kind == "kill":
            part.kill()
        elif fault.kind == "stop":
            part.stop()
        else:
            part.pause()
            await asyncio.sleep(fault.seconds)
            part.resume()

    async def _disturb(self, line: Line, fault: Fault) -> None:
        if fault.kind == "cut":
            line.cut()
        else:
            line.hold()
            await asyncio.sleep(fault.seconds)
            line.release()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
