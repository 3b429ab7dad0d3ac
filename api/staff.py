"""The process beside a gateway that answers staff: settlement over REST, and the documentation.

Reading thousands of rows and writing a PDF or a workbook takes seconds of processor time. Members must not wait for
that, so the gateway passes such requests, once admitted, over a unix socket to a separate process, which starts with
the first request and ends with the gateway (``api.staff_server``). One that hangs is ended, and the
next request starts another.
"""

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import structlog
from starlette.types import Scope, Send

from api.edge.admission import PRINCIPAL
from api.edge.auth import Principal
from api.edge.problems import problem
from goldx.hosting.settings import Settings

START_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 170.0
STOP_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 5.0
"""How long the gateway keeps a connection to the process that it does not use."""
KEPT_SECONDS: Final = 60
"""How long the process keeps one: longer, so that it never closes a connection on which a request is on its way."""
CHECK_SECONDS: Final = 1.0
"""How often the process is asked whether it works."""
PRINCIPAL_FIELD: Final = b"goldx-principal"
"""The header field with the principal whom the gateway has authenticated. No client can set it."""
HOP_BY_HOP: Final = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"expect"))
"""Header fields that belong to one connection (RFC 9110, section 7.6.1)."""

SOCKET: Final = "staff.sock"

log = structlog.get_logger()

read_principal = msgspec.json.Decoder(Principal).decode


class StaffProcess:
    """The process of one gateway. ``redis_url`` and ``database_url`` are those of the gateway."""

    def __init__(self, settings: Settings, redis_url: str, database_url: str) -> None:
        values = settings.model_dump(mode="json", exclude_none=True)
        self._instructions = msgspec.json.encode([values, redis_url, database_url]) + b"\n"
        self._starting = asyncio.Lock()
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._client: httpx.AsyncClient | None = None
        self._patience = settings.staff_patience_seconds
        self._asked_at: float | None = None
        self.hangs = 0
        """The number of times that the process hung and was ended."""

    @property
    def silent(self) -> float:
        """The seconds for which the process has not answered a check; 0 if it does not run."""
        return 0.0 if self._asked_at is None else time.monotonic() - self._asked_at

    async def watch(self) -> None:
        """Ask the process regularly whether it works, and end it when it hangs, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            process, folder = self._process, self._folder
            if self._client is not None and process is not None and folder is not None and process.returncode is None:
                await self._check(process, folder / SOCKET)

    async def _check(self, process: asyncio.subprocess.Process, path: Path) -> None:
        """Wait for any answer, and end a process that gives none.

        One long piece of work, such as a large file, gives no answer for as long as a request may take; but it uses the
        processor. One that neither answers nor computes hangs.
        """
        asked_at = self._asked_at = standing_since = time.monotonic()
        used = _processor_time(process.pid)
        asking = asyncio.create_task(_ask(path))
        try:
            while not (await asyncio.wait((asking,), timeout=CHECK_SECONDS))[0]:
                now, used_now = time.monotonic(), _processor_time(process.pid)
                if used_now != used:
                    used, standing_since = used_now, now
                if now - standing_since >= self._patience or now - asked_at >= ANSWER_SECONDS:
                    self.hangs += 1
                    log.error("the process for staff hangs and is ended", pid=process.pid, silent_seconds=self.silent)
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
                    return
        finally:
            self._asked_at = None
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def answer(self, scope: Scope, body: Sequence[bytes], send: Send) -> None:
        """Pass an admitted request to the process, and its answer back.

        If the process ends while it answers, the answer stays incomplete and the server closes the connection.
        """
        begun = False
        try:
            async with self._answering(await self._running(), scope, body) as response:
                headers = [(name, value) for name, value in response.headers.raw if name.lower() not in HOP_BY_HOP]
                length = response.headers.get("content-length")
                if length is not None:
                    headers.append((b"content-length", length.encode()))
                begun = True
                await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
                async for chunk in response.aiter_raw():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except (httpx.HTTPError, OSError) as error:
            log.warning("the process for staff does not answer", error=str(error) or repr(error))
            if begun:
                return
            text = "the process for staff did not answer; the request may still be carried out"
            refused = problem(504, text, "UNAVAILABLE")
            await refused(scope, _nothing, send)

    @staticmethod
    @contextlib.asynccontextmanager
    async def _answering(
        client: httpx.AsyncClient, scope: Scope, body: Sequence[bytes]
    ) -> AsyncIterator[httpx.Response]:
        async def parts() -> AsyncIterator[bytes]:
            for part in body:
                yield part

        own = HOP_BY_HOP | {PRINCIPAL_FIELD}
        headers = [(name, value) for name, value in scope["headers"] if name not in own]
        if PRINCIPAL in scope:
            headers.append((PRINCIPAL_FIELD, msgspec.json.encode(scope[PRINCIPAL])))
        headers.append((b"content-length", str(sum(map(len, body))).encode()))
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        url = httpx.URL(scheme="http", host="gateway", raw_path=target)
        async with client.stream(scope["method"], url, headers=headers, content=parts()) as response:
            yield response

    async def _running(self) -> httpx.AsyncClient:
        """Start the process if it does not run. Raises OSError."""
        async with self._starting:
            if self._client is None or self._process is None or self._process.returncode is not None:
                await self.stop()
                self._client = await self._start()
            return self._client

    async def _start(self) -> httpx.AsyncClient:
        self._folder = Path(tempfile.mkdtemp(prefix="gx"))
        path = self._folder / SOCKET
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "api.staff_server",
            str(path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(self._instructions)
        await process.stdin.drain()
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(path):
                if process.returncode is not None:
                    raise OSError(f"the process for staff ended at its start with {process.returncode}")
                await asyncio.sleep(0.02)
        log.info("the process for staff runs", pid=process.pid)
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=IDLE_SECONDS)
        # Without TLS there is nothing to verify; reading the certificates of the authorities would hold the loop.
        transport = httpx.AsyncHTTPTransport(verify=False, uds=str(path), limits=limits)
        return httpx.AsyncClient(transport=transport, timeout=ANSWER_SECONDS, trust_env=False)

    async def stop(self) -> None:
        """End the process, if it runs."""
        if self._client is not None:
            await self._client.aclose()
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._client = self._process = self._folder = None


async def _nothing() -> Any:
    return {"type": "http.disconnect"}


async def _listens(path: Path) -> bool:
    """Return whether the process takes connections; its socket's file is there a little before."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


async def _ask(path: Path) -> None:
    """Return when the process answers or ends. Even the answer "not found" shows that its event loop runs."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(b"GET /works HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")
            await reader.readline()
        finally:
            writer.close()


def _processor_time(pid: int) -> int:
    """Return the processor time of a process, in ticks of the system; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
