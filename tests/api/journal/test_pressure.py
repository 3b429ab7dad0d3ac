"""Back-pressure, check by check: overload, staleness, the disk, and the time after which to try again."""

import pytest
from redis.asyncio import Redis

from api.journal.pressure import (
    CHECK_SECONDS,
    LONGEST_RETRY_MS,
    MAX_WAITING,
    SHORTEST_RETRY_MS,
    STALE_CHECKS,
    TROUBLE_RETRY_MS,
    Pressure,
)


def quiet() -> Pressure:
    """Return the pressure of a gateway without unanswered commands."""
    return Pressure(lambda: None, 0)


def why_refusing(pressure: Pressure) -> str | None:
    return pressure.refusing


def test_commands_are_refused_at_the_limit_of_unanswered_ones() -> None:
    pressure = quiet()
    pressure.waiting = MAX_WAITING - 1
    assert why_refusing(pressure) is None
    pressure.waiting = MAX_WAITING
    assert why_refusing(pressure) == f"{MAX_WAITING} commands of this gateway wait for their answers already"
    pressure.answered(1)
    assert why_refusing(pressure) is None


def test_the_exchange_is_slow_when_the_oldest_command_is_older_than_so_many_checks() -> None:
    oldest: int | None = 0
    pressure = Pressure(lambda: oldest, 0)
    for _ in range(STALE_CHECKS):
        pressure.check()
    assert why_refusing(pressure) is None
    pressure.check()
    assert why_refusing(pressure) == "the exchange does not keep up"
    oldest = None
    pressure.check()
    assert why_refusing(pressure) is None


@pytest.mark.parametrize(
    ("per_check", "expected"),
    [(0, TROUBLE_RETRY_MS), (10, LONGEST_RETRY_MS), (2_500, 2_000), (1_000_000, SHORTEST_RETRY_MS)],
)
def test_a_refused_member_may_try_again_when_what_waits_should_be_answered(per_check: int, expected: int) -> None:
    pressure = quiet()
    for _ in range(200):
        pressure.waiting += per_check
        pressure.answered(per_check)
        pressure.check()
    pressure.waiting = MAX_WAITING
    assert pressure.overloaded is not None
    wait_ms = pressure.refusal(pressure.overloaded).data["retry_after_ms"]
    assert wait_ms == pytest.approx(expected, abs=1), f"{per_check / CHECK_SECONDS} commands a second are answered"


def test_the_rate_of_answers_falls_when_none_come() -> None:
    pressure = quiet()
    pressure.answered(10_000)
    for _ in range(200):
        pressure.check()
    pressure.waiting = MAX_WAITING
    assert pressure.overloaded is not None
    assert pressure.refusal(pressure.overloaded).data["retry_after_ms"] == TROUBLE_RETRY_MS


async def test_orders_are_refused_while_the_disk_has_less_than_the_reserve(redis: Redis, valkey_url: str) -> None:
    roomy, full = Pressure(lambda: None, 1), Pressure(lambda: None, 1 << 40)
    for pressure in (roomy, full):
        await pressure.find_disk(redis, valkey_url)
        pressure.check()
    assert roomy.refusing is None
    assert full.refusing is not None
    assert full.refusing.startswith("the journal's disk is nearly full")
    full._reserve = 0
    full.check()
    assert why_refusing(full) is None
