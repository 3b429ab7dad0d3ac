"""A register for tests: a member and two operators, each with a key."""

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.client.keys import Key
from goldx.streams.keys import Keys
from settlement.base import registry
from settlement.reconciliation.histories import Facts, compare
from settlement.service.standings import Standings


class Register:
    """A register with a member M1, two operators and a key of each, beside a server of its own shard."""

    def __init__(self, url: str, engine: AsyncEngine, redis: Redis, shard: str) -> None:
        self.engine = engine
        self.redis = redis
        self.keys = Keys(shard)
        self.desk = Standings(url, engine, redis, self.keys)

    async def fill(self) -> None:
        async with self.engine.begin() as connection:
            await registry.add_member(connection, "test", "M1", "Member one")
            await registry.add_key(connection, "test", "M1.key", Key.generate("k").public_bytes, member_code="M1")
            for name in ("op-1", "op-2"):
                public = Key.generate(name).public_bytes
                await registry.add_staff(connection, "test", name, name, ["operate"])
                await registry.add_key(connection, "test", name, public, staff_code=name, permissions=["operate"])

    async def rest(self, step: str, kind: str, code: str, by: str) -> str:
        """Take a step as REST does, and return its status."""
        return (await self.desk.take(step, kind, code, by, "case-17", second_person=True)).status

    async def differences(self) -> list[str]:
        async with self.engine.connect() as connection:
            facts = Facts()
            await compare(connection, facts)
        return [found.subject for found in facts.breaks]
