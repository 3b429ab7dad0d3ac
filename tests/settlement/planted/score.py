"""How much of what was planted the reconciliations find, and how much of what they find was planted."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.hosting.embedded import temporary_servers
from goldx.streams import redis_client
from settlement.base import database
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.planted import decoys, of_bank, of_books, of_metal, of_movements, of_titles
from tests.settlement.planted.damage import Damage
from tests.settlement.planted.day import correct_day
from tests.settlement.planted.evening import Evening, Finding, findings
from tests.settlement.small_exchange import SmallExchange

DAMAGES: Final = (*of_bank.DAMAGES, *of_metal.DAMAGES, *of_books.DAMAGES, *of_movements.DAMAGES, *of_titles.DAMAGES)
DECOYS: Final = decoys.DECOYS


class Outcome(NamedTuple):
    """One damage of one evening: what had to be found, and what was found.

    ``close``: the books were compared as a close does, not all of them.
    """

    name: str
    close: bool
    expected: Counter[Finding]
    found: Counter[Finding]

    @property
    def right(self) -> int:
        """Return how many findings are those that had to be found, of the right kind about the right thing."""
        return (self.expected & self.found).total()

    @property
    def missed(self) -> list[Finding]:
        """Return what was not found."""
        return list((self.expected - self.found).elements())

    @property
    def wrong(self) -> list[Finding]:
        """Return what was found and is not there."""
        return list((self.found - self.expected).elements())


async def outcomes_of(engine: AsyncEngine, damage: Damage, dice: Random) -> tuple[Outcome, Outcome]:
    """Plant a damage into the evening of a correct day, reconcile as a whole and as a close, and take all back."""
    async with engine.connect() as connection:
        evening = await Evening.read(connection)
        await damage.plant(connection, evening, dice)
        found = await findings(connection, evening)
        await connection.rollback()
    whole = Outcome(damage.name, False, evening.expected, found.whole)
    return whole, Outcome(damage.name, True, evening.expected, found.close)


def dice_of(seed: int, number: int, damage: Damage) -> Random:
    """Return the choices of a damage in a round; they depend on no other damage."""
    return Random(f"{seed} {number} {damage.name}")


def score(found: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of some outcomes; precision and recall are parts of one, to four places."""
    planted = sum(one.expected.total() for one in found)
    reported = sum(one.found.total() for one in found)
    right = sum(one.right for one in found)
    return {
        "evenings": len(found),
        "planted": planted,
        "reported": reported,
        "right": right,
        "precision": round(right / reported, 4) if reported else 1.0,
        "recall": round(right / planted, 4) if planted else 1.0,
    }


async def measure(rounds: int, seed: int, report: Callable[[Outcome], None]) -> dict[str, Any]:
    """Make the correct day on servers of its own, plant everything into its evening, and return the figures.

    Each round makes other choices from the same seed; ``report`` is called with each outcome. The figures under
    ``close`` are those of the comparison that a close makes.
    """
    async with temporary_servers(durable=False) as (valkey, postgres):
        await database.migrate(postgres.url)
        engine = database.connect(postgres.url)
        redis = redis_client.connect(valkey.url)
        try:
            exchange = SmallExchange(engine, EngineRunner(redis, "planted"), "planted")
            await exchange.build()
            await correct_day(exchange)
            found: list[Outcome] = []
            for number in range(rounds):
                for damage in (*DAMAGES, *DECOYS):
                    both = await outcomes_of(engine, damage, dice_of(seed, number, damage))
                    found += both
                    for one in both:
                        report(one)
        finally:
            await redis.aclose()
            await engine.dispose()
    named = {"damages": len(DAMAGES), "decoys": len(DECOYS), "rounds": rounds, "seed": seed}
    of_close = score([one for one in found if one.close])
    wrong = [one.name for one in found if one.missed or one.wrong]
    return {**named, **score([one for one in found if not one.close]), "close": of_close, "wrong": wrong}
