"""The operators' book page in a real browser, on a real exchange: gateway, engine and console are processes."""

import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
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

pytestmark = pytest.mark.browser


class House(NamedTuple):
    """A running exchange, and the keys of its two members."""

    exchange: Supervisor
    keys: dict[str, Key]


@pytest_asyncio.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    """An exchange with two members, money, gold, and two open instruments."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    try:
        async with Supervisor(Settings(data_dir=folder, gateway_port=0, console_port=0)) as exchange:
            redis = connect_redis(exchange.redis_url)
            await Journal(redis, Keys()).append(CommandFrame("test", 1, OPENING))
            await redis.aclose()
            keys = {member: Key.generate(f"{member}.1") for member in ("ALPHA", "BETA")}
            database = connect_database(exchange.database_url)
            async with database.begin() as connection:
                for member, key in keys.items():
                    await registry.add_member(connection, "test", member, member)
                    await registry.add_key(connection, "test", key.key_id, key.public_bytes, member_code=member)
            await database.dispose()
            yield House(exchange, keys)
    finally:
        shutil.rmtree(folder)


class Browser(NamedTuple):
    """A page, the requests it made, and what it complained of."""

    page: Page
    requests: list[str]
    complaints: list[str]


@pytest_asyncio.fixture
async def browser(house: House) -> AsyncIterator[Browser]:
    """The book page, open in a Chinese browser. Fails, rather than skips, where there is no Chromium."""
    assert Path(CHROMIUM).exists(), f"{CHROMIUM} is missing: apt-get install chromium fonts-noto-cjk"
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = await chromium.new_page(locale="zh-CN")
        opened = Browser(page, [], [])
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        await page.goto(house.exchange.console_url)
        await expect(page.locator(".gx-state")).to_have_text("已连接", timeout=30_000)
        yield opened
        await chromium.close()


def level(page: Page, side: str, place: int = 0) -> Any:
    """One row of the book; place 0 is the best."""
    return page.locator(f".gx-{side} .gx-row").nth(place)


async def place(session: ExchangeClient, account: str, side: str, price: str, quantity: str, **more: Any) -> Any:
    return await session.place(account=account, symbol=SYMBOL, side=side, price=price, quantity=quantity, **more)


async def test_the_book_changes_with_every_order(house: House, browser: Browser) -> None:
    page, url = browser.page, house.exchange.gateway_url
    await page.get_by_role("button", name=re.compile(SYMBOL)).click()
    async with connect(url, house.keys["ALPHA"]) as alpha, connect(url, house.keys["BETA"]) as beta:
        await place(alpha, "ALPHA.H", "sell", "931.60", "100")
        await place(alpha, "ALPHA.H", "sell", "931.80", "50")
        await place(beta, "BETA.H", "buy", "931.40", "25")
        await expect(level(page, "asks")).to_have_text(re.compile(r"931\.60\s*100"))
        await expect(level(page, "asks", 1)).to_have_text(re.compile(r"931\.80\s*50"))
        await expect(level(page, "bids")).to_have_text(re.compile(r"931\.40\s*25"))
        await expect(page.locator('[data-fact="spread"] .gx-value')).to_have_text("0.20")
        await expect(level(page, "asks").locator(".gx-bar")).to_have_attribute("style", "width: 100%;")
        await expect(level(page, "asks", 1).locator(".gx-bar")).to_have_attribute("style", "width: 50%;")

        await place(beta, "BETA.H", "buy", "931.60", "30", time_in_force="IOC")
        await expect(level(page, "asks")).to_have_text(re.compile(r"931\.60\s*70"))
        await expect(page.locator('[data-fact="last"] .gx-value')).to_have_text("931.60")
        await expect(page.locator(".gx-trades .gx-row").first).to_have_text(re.compile(r"931\.60\s*30"))

    # Their sessions have ended, so their orders are cancelled: the page shows an empty book again.
    await expect(level(page, "asks")).to_have_text("")
    await expect(level(page, "bids")).to_have_text("")


async def test_it_speaks_chinese_and_english_and_shows_every_instrument(browser: Browser) -> None:
    page = browser.page
    await expect(page.locator('[data-fact="phase"]')).to_have_text(re.compile(r"阶段\s*连续交易"))
    await expect(page.get_by_role("button", name=f"{OTHER} 旧金料")).to_be_visible()
    await page.get_by_role("button", name="English").click()
    await expect(page.locator('[data-fact="phase"]')).to_have_text(re.compile(r"phase\s*continuous"))
    await expect(page.locator(".gx-state")).to_have_text("connected")
    await page.get_by_role("button", name=f"{OTHER} Recycled gold").click()
    await page.get_by_role("button", name="中文").click()
    await expect(page.locator(".gx-state")).to_have_text("已连接")


async def test_it_loads_nothing_from_elsewhere_and_complains_of_nothing(house: House, browser: Browser) -> None:
    await expect(level(browser.page, "asks")).to_be_attached()
    assert browser.requests
    assert [url for url in browser.requests if not url.startswith(house.exchange.console_url)] == []
    assert browser.complaints == []


async def test_it_survives_a_restart_of_the_gateway(house: House, browser: Browser) -> None:
    page = browser.page
    await page.get_by_role("button", name=re.compile(SYMBOL)).click()
    await house.exchange.kill("gateway")
    await expect(page.locator(".gx-state")).to_have_text("正在连接网关……", timeout=15_000)
    await house.exchange.ready("gateway")
    await expect(page.locator(".gx-state")).to_have_text("已连接", timeout=15_000)
    async with connect(house.exchange.gateway_url, house.keys["ALPHA"]) as alpha:
        await place(alpha, "ALPHA.H", "sell", "935.00", "7")
        await expect(level(page, "asks")).to_have_text(re.compile(r"935\.00\s*7"))
    assert browser.complaints == []
