"""The exchange on a primary, two replicas and three Sentinels; one replica must have every order on its disk."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from random import Random
from typing import Any

from redis.exceptions import RedisError

from goldx.hosting.valkey import valkey_binary
from goldx.streams import redis_client
from tests.faults.schedule import Fault, Plan
from tests.faults.stack import SETTINGS, ExchangeStack, free_port

SERVICE = "gold"
SERVERS = 3
SENTINELS = 3
QUORUM = 2
DOWN_AFTER_MS = 1_000
"""After so long without an answer the Sentinels count the primary as lost."""
PAUSE_SECONDS = 6.0
"""How long a paused primary does not run: another one is the primary when it goes on."""
FAILOVER_SECONDS = 60.0

_SERVER = """
bind 127.0.0.1
port {port}
dir {folder}
appendonly yes
appendfsync always
save ""
repl-diskless-sync-delay 0
logfile {folder}/valkey.log
"""
_SENTINEL = """
bind 127.0.0.1
port {port}
dir {folder}
logfile {folder}/sentinel.log
sentinel monitor {service} 127.0.0.1 {primary} {quorum}
sentinel down-after-milliseconds {service} {down_after}
sentinel failover-timeout {service} 6000
sentinel parallel-syncs {service} 2
"""


def plan(seed: int) -> Plan:
    """Return a plan in which the primary fails, and in some rounds an engine, a gateway or settlement too."""
    random = Random(f"failover {seed}")
    at = random.uniform(0.5, 1.5)
    faults = [Fault(at, "pause", "primary", PAUSE_SECONDS) if seed % 3 == 2 else Fault(at, "kill", "primary")]
    if random.random() < 0.5:
        victim = random.choice(("leader", "gateway-1", "settlement"))
        faults.append(Fault(at + random.uniform(-0.3, 2.0), "kill", victim))
    return Plan(8.0, tuple(sorted(faults)))


class RedundantServers:
    """The servers and Sentinels in a folder. ``failovers``: how often another server has become the primary."""

    def __init__(self, folder: Path) -> None:
        self.failovers = 0
        self._folder = folder
        self._ports = [free_port() for _ in range(SERVERS)]
        self._sentinel_ports = [free_port() for _ in range(SENTINELS)]
        self._primary = self._ports[0]
        self._servers: dict[int, asyncio.subprocess.Process] = {}
        self._sentinels: list[asyncio.subprocess.Process] = []
        self.failed = False
        """Whether the primary has been killed or paused since the last failover."""

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self._sentinel_ports)}/{SERVICE}"

    async def start(self) -> None:
        """Start the servers, then the Sentinels, and wait until each Sentinel knows all of them."""
        for port in self._ports:
            await self._start_server(port, None if port == self._primary else self._primary)
        for port in self._ports[1:]:
            await self._wait_synchronised(port)
        for number, port in enumerate(self._sentinel_ports):
            folder = self._folder / f"sentinel-{number}"
            values = {"port": port, "folder": folder, "service": SERVICE, "primary": self._primary, "quorum": QUORUM}
            text = _SENTINEL.format(**values, down_after=DOWN_AFTER_MS)
            self._sentinels.append(await _start(folder, text, "--sentinel"))
        # A Sentinel votes for a replica only when it knows of the other Sentinels and of the replicas.
        for port in self._sentinel_ports:
            await self._wait_until_it_knows_all(port)

    async def stop(self) -> None:
        """Kill all processes."""
        for process in (*self._sentinels, *self._servers.values()):
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def kill_primary(self) -> None:
        """Kill the primary."""
        self.failed = True
        server = self._servers[self._primary]
        server.kill()
        await server.wait()

    async def pause_primary(self, seconds: float) -> None:
        """Pause the primary for so long."""
        self.failed = True
        server = self._servers[self._primary]
        server.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        server.send_signal(signal.SIGCONT)

    async def fail_over(self) -> None:
        """Wait for the new primary; the former one becomes its replica."""
        former = self._primary
        async with asyncio.timeout(FAILOVER_SECONDS):
            while self._primary == former:
                await asyncio.sleep(0.1)
                with contextlib.suppress(OSError, RedisError):
                    self._primary = await self._named_primary()
            self.failovers += 1
            if self._servers[former].returncode is not None:
                await self._start_server(former, self._primary)
            await self._wait_synchronised(former)
        self.failed = False

    async def _start_server(self, port: int, primary: int | None) -> None:
        folder = self._folder / f"valkey-{port}"
        more = () if primary is None else ("--replicaof", f"127.0.0.1 {primary}")
        self._servers[port] = await _start(folder, _SERVER.format(port=port, folder=folder), *more)

    async def _wait_synchronised(self, port: int) -> None:
        """Wait until a server is a replica that has everything."""
        client = redis_client.connect(f"redis://127.0.0.1:{port}")
        while True:
            with contextlib.suppress(OSError, RedisError):
                found = await client.info("replication")
                if found["role"] == "slave" and found["master_link_status"] == "up":
                    break
            await asyncio.sleep(0.05)
        await client.aclose()

    async def _wait_until_it_knows_all(self, port: int) -> None:
        client = redis_client.connect(f"redis://127.0.0.1:{port}")
        while True:
            with contextlib.suppress(OSError, RedisError):
                found: Any = await client.sentinel_master(SERVICE)
                if (int(found["num-slaves"]), int(found["num-other-sentinels"])) == (SERVERS - 1, SENTINELS - 1):
                    break
            await asyncio.sleep(0.05)
        await client.aclose()

    async def _named_primary(self) -> int:
        """Return the port of the server that a Sentinel names as the primary."""
        client = redis_client.connect(f"redis://127.0.0.1:{self._sentinel_ports[0]}")
        try:
            address: Any = await client.sentinel_get_master_addr_by_name(SERVICE)
        finally:
            await client.aclose()
        return int(address[1])


class RedundantStack(ExchangeStack):
    """The exchange on these servers; ``primary`` is one more target of faults."""

    settings = SETTINGS | {"require_replicas": "1"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers = RedundantServers(folder)

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self.servers.stop()

    @property
    def redis_url(self) -> str:
        return self.servers.url

    async def wait_until_recovered(self) -> None:
        """Wait also until another server is the primary, and the former one its replica."""
        await asyncio.gather(*self._running)
        if self.servers.failed:
            await self.servers.fail_over()
        await super().wait_until_recovered()

    async def _start_redis(self) -> None:
        await self.servers.start()

    async def _redis_proxy(self, service: str) -> str:  # noqa: ARG002
        return self.redis_url

    async def _inject(self, fault: Fault) -> None:
        if fault.target != "primary":
            await super()._inject(fault)
            return
        await asyncio.sleep(fault.at)
        if fault.kind == "kill":
            await self.servers.kill_primary()
        else:
            await self.servers.pause_primary(fault.seconds)


async def _start(folder: Path, configuration: str, *arguments: str) -> asyncio.subprocess.Process:
    folder.mkdir(exist_ok=True)
    file = folder / "server.conf"
    file.write_text(configuration)
    program = ("setpriv", "--pdeathsig", "KILL", str(valkey_binary()))
    return await asyncio.create_subprocess_exec(
        *program,
        str(file),
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        cwd=os.sep,
    )
