"""The operators' book page in a real browser, on a real exchange: gateway, engine and console are processes."""

import os
import re
import signal
from typing import Any

import pytest
from playwright.async_api import Page, expect

from goldx.client.session import ExchangeClient, connect
from tests.api.console.conftest import OTHER, SYMBOL, Browser, RunningExchange

pytestmark = pytest.mark.browser


def level(page: Page, side: str, row: int = 0) -> Any:
    """Return one row of the book; row 0 is the best."""
    return page.locator(f".gx-{side} .gx-row").nth(row)


async def place(session: ExchangeClient, account: str, side: str, price: str, quantity: str, **more: Any) -> Any:
    return await session.place(account=account, symbol=SYMBOL, side=side, price=price, quantity=quantity, **more)


async def test_the_book_changes_with_every_order(running: RunningExchange, browser: Browser) -> None:
    page, url = browser.page, running.supervisor.gateway_url
    await page.get_by_role("button", name=re.compile(SYMBOL)).click()
    async with connect(url, running.keys["ALPHA"]) as alpha, connect(url, running.keys["BETA"]) as beta:
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

    # The sessions have ended, so their orders are cancelled: the book is empty again.
    await expect(level(page, "asks")).to_have_text("")
    await expect(level(page, "bids")).to_have_text("")


async def test_the_page_is_in_chinese_and_english_and_shows_every_instrument(browser: Browser) -> None:
    page = browser.page
    await expect(page.locator('[data-fact="phase"]')).to_have_text(re.compile(r"阶段\s*连续交易"))
    await expect(page.get_by_role("button", name=f"{OTHER} 旧金料")).to_be_visible()
    await page.get_by_role("button", name="English").click()
    await expect(page.locator('[data-fact="phase"]')).to_have_text(re.compile(r"phase\s*continuous"))
    await expect(page.locator(".gx-state")).to_have_text("connected")
    await page.get_by_role("button", name=f"{OTHER} Recycled gold").click()
    await page.get_by_role("button", name="中文").click()
    await expect(page.locator(".gx-state")).to_have_text("已连接")


async def test_the_page_loads_nothing_from_elsewhere_without_errors(running: RunningExchange, browser: Browser) -> None:
    await expect(level(browser.page, "asks")).to_be_attached()
    assert browser.requests
    assert [url for url in browser.requests if not url.startswith(running.supervisor.console_url)] == []
    assert browser.errors == []


@pytest.mark.campaign
async def test_the_page_recovers_after_a_restart_of_the_gateway(running: RunningExchange, browser: Browser) -> None:
    page = browser.page
    await page.get_by_role("button", name=re.compile(SYMBOL)).click()
    await running.supervisor.kill("gateway")
    await expect(page.locator(".gx-state")).to_have_text("正在连接网关……", timeout=15_000)
    await running.supervisor.ready("gateway")
    await expect(page.locator(".gx-state")).to_have_text("已连接", timeout=15_000)
    async with connect(running.supervisor.gateway_url, running.keys["ALPHA"]) as alpha:
        await place(alpha, "ALPHA.H", "sell", "935.00", "7")
        await expect(level(page, "asks")).to_have_text(re.compile(r"935\.00\s*7"))
    assert browser.errors == []


@pytest.mark.campaign
async def test_the_page_says_that_the_gateway_or_its_server_has_stopped(
    running: RunningExchange, browser: Browser
) -> None:
    """Neither ends the connection, so without a check the page would show an old book as the present one."""
    page, services = browser.page, running.supervisor.services
    stale = page.locator(".gx-screen.gx-stale")
    for service, text in (("valkey", re.compile("行情已停滞")), ("gateway", re.compile("行情已停滞|正在连接网关"))):
        await expect(stale).to_have_count(0, timeout=30_000)
        os.kill(services[service].pid, signal.SIGSTOP)
        try:
            await expect(page.locator(".gx-state")).to_have_text(text, timeout=20_000)
            await expect(stale).to_have_count(1)
        finally:
            os.kill(services[service].pid, signal.SIGCONT)
        await expect(page.locator(".gx-state")).to_have_text("已连接", timeout=30_000)
    assert browser.errors == []
