"""Back-pressure, check by check: overload, staleness, the disk, and the time after which to try again."""

import pytest
from redis.asyncio import Redis

from api.journal.pressure import (
    CANCEL_PLACES,
    CHECK_SECONDS,
    LONGEST_RETRY_MS,
    MAX_WAITING,
    SHORTEST_RETRY_MS,
    STALE_CHECKS,
    TROUBLE_RETRY_MS,
    Pressure,
    Share,
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


def fill(pressure: Pressure, share: Share | None, spare: int = 0) -> int:
    """Take commands of a share until one is refused; return the number taken."""
    taken = 0
    while pressure.why_full(share, spare) is None:
        pressure.waiting += 1
        if share is not None:
            share.add(1)
        taken += 1
    return taken


def test_a_member_takes_no_more_than_it_leaves_to_others() -> None:
    pressure = quiet()
    greedy, modest = Share(), Share()
    sessions = [Share(greedy) for _ in range(6)]
    taken = [fill(pressure, session) for session in sessions]
    assert all(taken), "each session gets places, however many the member's others take"
    others, pressure.waiting = pressure.waiting, MAX_WAITING - greedy.waiting
    assert (
        pressure.why_full(Share(greedy), 0)
        == f"{greedy.waiting} commands of this member wait for their answers already"
    )
    pressure.waiting = others
    assert MAX_WAITING // 3 <= greedy.waiting <= MAX_WAITING // 2
    assert fill(pressure, Share(modest)) > 1_000
    newcomers = [Share(Share()) for _ in range(10)]
    assert all(fill(pressure, newcomer) for newcomer in newcomers)


def test_a_share_is_given_back() -> None:
    pressure, member = quiet(), Share()
    session = Share(member)
    taken = fill(pressure, session)
    text = pressure.why_full(session, 0)
    assert text == f"{taken} commands of this session wait for their answers already"
    pressure.answered(taken)
    session.add(-taken)
    assert (session.waiting, member.waiting, pressure.waiting) == (0, 0, 0)
    assert fill(pressure, session) == taken


def test_cancels_have_places_when_orders_have_none_and_the_venue_when_cancels_have_none() -> None:
    pressure = quiet()
    pressure.waiting = MAX_WAITING
    session = Share(Share())
    assert pressure.why_full(session, 0) is not None
    assert 0 < fill(pressure, session, CANCEL_PLACES) < CANCEL_PLACES
    pressure.waiting = MAX_WAITING + CANCEL_PLACES
    assert pressure.why_full(Share(Share()), CANCEL_PLACES) is not None
    assert fill(pressure, None, 2 * CANCEL_PLACES) == CANCEL_PLACES
