"""Exchanges that were prepared once a session, and of which each test gets a copy: database, journal and events."""

from collections.abc import Awaitable, Callable
from datetime import date
from itertools import count
from typing import NamedTuple

import asyncpg
from sqlalchemy.engine import make_url

from goldx.streams import redis_client
from goldx.streams.keys import Keys
from settlement.base import database, working_days
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import SmallExchange

Preparation = Callable[[SmallExchange], Awaitable[None]]
"""An action on a small exchange before the tests that ask for it."""


async def nothing(exchange: SmallExchange) -> None:
    """Leave the exchange without lots and money."""


class Stage(NamedTuple):
    """A prepared exchange."""

    database: str
    """The name of its database, to which nobody is connected."""
    shard: str


class Stages:
    """The prepared exchanges of a session: each is made when it is first asked for, and again after midnight."""

    def __init__(self, postgres_url: str, valkey_url: str, template: str) -> None:
        self._url = make_url(postgres_url)
        self._valkey_url = valkey_url
        self._template = template
        self._numbers = count(1)
        self._made: dict[tuple[Preparation, date], Stage] = {}

    async def reach(self, preparation: Preparation) -> Stage:
        """Return the exchange on which this was done."""
        key = preparation, working_days.today()
        if key not in self._made:
            name = f"stage{next(self._numbers)}"
            admin = await asyncpg.connect(
                host=str(self._url.query["host"]), user=self._url.username, database="postgres"
            )
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
            await admin.close()
            engine = database.connect(self._url.set(database=name).render_as_string(hide_password=False))
            redis = redis_client.connect(self._valkey_url)
            # The tests' exchanges are the next run of the service, so that their frames do not seem to be sent again.
            exchange = SmallExchange(engine, EngineRunner(redis, name), name, run=0)
            await exchange.build()
            await preparation(exchange)
            await engine.dispose()
            await redis.aclose()
            self._made[key] = Stage(name, name)
        return self._made[key]

    async def copy_streams(self, stage: Stage, shard: str) -> None:
        """Copy the journal and the events of a stage to another shard."""
        of, to = Keys(stage.shard), Keys(shard)
        redis = redis_client.connect(self._valkey_url)
        for source, destination in ((of.journal, to.journal), (of.events, to.events)):
            assert await redis.copy(source, destination)
        await redis.aclose()
