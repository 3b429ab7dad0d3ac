"""Only the console's own pages can open its socket."""

import asyncio
import os
import sys
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.http_client import http_client

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


async def test_a_page_of_another_site_cannot_open_the_consoles_socket() -> None:
    environment = os.environ | {"GOLDX_CONSOLE_PORT": "0", "GOLDX_GATEWAY_URL": "http://127.0.0.1:9"}
    console = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "goldx.cli", "console", env=environment, stdout=-1, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert console.stdout is not None
        url = (await console.stdout.readline()).decode().split()[-1]
        where = f"ws://{urlsplit(url).netloc}{SOCKET}"
        async with connect(where, additional_headers={"Origin": url}) as own:
            assert str(await own.recv()).startswith("0{")
        async with connect(where) as program:
            assert str(await program.recv()).startswith("0{")
        for origin in ("https://evil.example", "null", f"{url}.evil.example"):
            with pytest.raises(InvalidStatus, match="HTTP 403"):
                await connect(where, additional_headers={"Origin": origin})
        async with http_client(url, timeout=60) as browser:
            assert (await browser.get("/", headers={"Origin": "https://evil.example"})).status_code == 403
            assert (await browser.get("/")).status_code == 200
    finally:
        console.terminate()
        await console.wait()
