"""A running exchange with two members, and its console in a real browser."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from goldx.client.keys import Key
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.protocol import units
from goldx.protocol.commands import AccountOpen, HoldingAdjust, InstrumentDefine, MarketSetPhase
from goldx.protocol.terms import CONTINUOUS
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect as connect_redis
from settlement.base import registry
from settlement.base.database import connect as connect_database

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
SYMBOL, OTHER = "AU-DORE", "AU-SCRAP"
OPENING = (
    InstrumentDefine(SYMBOL, "Dore", "合质金", reference_price=93_150),
    InstrumentDefine(OTHER, "Recycled gold", "旧金料", reference_price=92_500),
    AccountOpen("ALPHA.H", "ALPHA"),
    HoldingAdjust("ALPHA.H", units.CASH, 10**9, "cash:1"),
    HoldingAdjust("ALPHA.H", SYMBOL, 10**7, "receipt:1"),
    AccountOpen("BETA.H", "BETA"),
    HoldingAdjust("BETA.H", units.CASH, 10**9, "cash:2"),
    MarketSetPhase(SYMBOL, CONTINUOUS),
    MarketSetPhase(OTHER, CONTINUOUS),
)


class RunningExchange(NamedTuple):
    """A running exchange, and the keys of its two members."""

    supervisor: Supervisor
    keys: dict[str, Key]


@pytest_asyncio.fixture(scope="module")
async def running() -> AsyncIterator[RunningExchange]:
    """Run an exchange with two members, money, gold, and two open instruments."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    try:
        async with Supervisor(Settings(data_dir=folder, gateway_port=0, console_port=0)) as supervisor:
            redis = connect_redis(supervisor.redis_url)
            await Journal(redis, Keys()).append(CommandFrame("test", 1, OPENING))
            await redis.aclose()
            keys = {member: Key.generate(f"{member}.1") for member in ("ALPHA", "BETA")}
            database = connect_database(supervisor.database_url)
            async with database.begin() as connection:
                for member, key in keys.items():
                    await registry.add_member(connection, "test", member, member)
                    await registry.add_key(connection, "test", key.key_id, key.public_bytes, member_code=member)
            await database.dispose()
            yield RunningExchange(supervisor, keys)
    finally:
        shutil.rmtree(folder)


class Browser(NamedTuple):
    """A page, the URLs that it requested, and its errors."""

    page: Page
    requests: list[str]
    errors: list[str]


@pytest_asyncio.fixture
async def browser(running: RunningExchange) -> AsyncIterator[Browser]:
    """Open the book page in a Chinese browser. Fails, rather than skips, where there is no Chromium."""
    assert Path(CHROMIUM).exists(), f"{CHROMIUM} is missing: apt-get install chromium fonts-noto-cjk"
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = await chromium.new_page(locale="zh-CN")
        opened = Browser(page, [], [])
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("console", lambda entry: opened.errors.append(entry.text) if entry.type == "error" else None)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))
        await page.goto(running.supervisor.console_url)
        await expect(page.locator(".gx-state")).to_have_text("已连接", timeout=30_000)
        yield opened
        await chromium.close()
