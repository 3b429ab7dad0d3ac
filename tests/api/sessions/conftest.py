"""A member that has placed some orders."""

from collections.abc import AsyncIterator

import pytest_asyncio

from goldx.client.session import ExchangeClient
from tests.api.conftest import Desk

ORDERS = 5


@pytest_asyncio.fixture
async def member(desk: Desk) -> AsyncIterator[ExchangeClient]:
    """The first member of the desk, with ORDERS open orders."""
    async with desk.services.member(desk.server) as member:
        for _ in range(ORDERS):
            await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
        yield member
