"""A trading day opens with settlement's permission; the first one of an exchange opens without."""

from goldx.protocol import terms
from goldx.protocol.commands import AnyCommand, MarketSetPhase
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.timetable.decision import decide
from goldx.timetable.permission import Permission
from tests.goldx.timetable.test_following import DAY, DORE, TIMETABLE, Day

WAITS = "2026-11-25 does not open: 2026-11-24 is not signed; `goldx day why` shows who can clear it"


def over(trading_day: str, *given: AnyCommand) -> Day:
    """Return an exchange at the end of its first trading day, the one before ``trading_day``, after commands."""
    day = Day("2026-11-24 08:00:00", "2026-11-24")
    day.give(*given)
    day.follow("2026-11-24 15:50:00")
    assert day.market.trading_day == trading_day
    day.phases.clear()
    return day


def test_the_first_day_opens_by_itself_and_the_next_one_with_permission() -> None:
    first = Day("2026-11-24 08:00:00", "2026-11-24")
    first.obstacles = ("there is no day before",)
    first.follow("2026-11-24 15:44:00")
    assert first.phases == DAY
    day = over("2026-11-25")
    day.obstacles = ("2026-11-24 is not signed",)
    day.follow("2026-11-24 19:14:59")
    assert day.decide().trouble == ()
    day.follow("2026-11-24 19:15:00")
    assert day.decide().trouble == (WAITS,), "half an hour before the opening"
    day.follow("2026-11-24 21:00:00")
    assert (day.phases, day.decide().trouble, day.decide().commands) == ([], (WAITS,), ())
    day.obstacles = ()
    day.follow("2026-11-24 21:00:01")
    assert (day.phases, day.decide().trouble) == ([("21:00", "continuous")], ())
    # What is found in an open day does not close it, nor keep it from opening again after a break.
    day.obstacles = ("break 1 (BALANCE A.H): engine and ledger differ",)
    day.follow("2026-11-25 15:44:00")
    assert day.phases == [("21:00", "continuous"), ("02:30", "closed"), *DAY]
    day.phases.clear()
    day.follow("2026-11-26 15:44:00")
    assert (day.phases, day.market.trading_day) == ([], "2026-11-26")
    day.follow("2026-11-26 15:46:00")
    assert day.market.trading_day == "2026-11-27", "a day that has not opened ends all the same"


def test_a_permission_counts_for_its_own_day_alone() -> None:
    day = over("2026-11-25")
    day.follow("2026-11-24 19:20:00")
    before, count = Permission("2026-11-24", 1, ()), Permission("2026-11-25", day.market.begun, ("a", "b"))
    for permission, why in (
        (None, "2026-11-25 does not open: settlement does not run, which has to permit it"),
        (before, "2026-11-25 does not open: settlement has not reached the end of the day before"),
        (count, "2026-11-25 does not open: a and 1 more; `goldx day why` shows who can clear it"),
    ):
        found = decide(TIMETABLE, day.market, day.now, lambda _: 0, permission)
        assert (found.trouble, found.commands) == ((why,), ())


def has_opened(day: Day) -> bool:
    return day.market.opened


def test_an_operator_opens_nothing_by_hand_while_the_day_waits() -> None:
    day = over("2026-11-25", MarketPermitOpening("2026-11-24"))
    day.obstacles = ("2026-11-24 is not signed",)
    day.give(MarketPermitOpening("2026-11-25", day.obstacles[0]))
    day.follow("2026-11-24 21:00:00")
    day.give(MarketSetPhase(DORE, terms.CONTINUOUS))
    assert (day.refused, day.phases) == (["DAY_WAITS"], [])
    day.give(MarketPermitOpening("2026-11-25"))
    day.give(MarketSetPhase(DORE, terms.HALTED), MarketSetPhase(DORE, terms.CLOSED))
    assert not has_opened(day), "a halt opens nothing"
    day.give(MarketSetPhase(DORE, terms.CONTINUOUS))
    assert has_opened(day), "opened by hand, it stays open, whatever settlement publishes afterwards"
    day.follow("2026-11-25 15:44:00")
    assert day.phases == [("21:00", "continuous"), ("02:30", "closed"), *DAY]
