"""The timetable is followed: days on the real core, with an exchange's clock that the test moves.

A ``Day`` is the journal, the core and the events without their servers; what is decided is what the service decides.
"""

from collections.abc import Callable
from datetime import date
from random import Random, SystemRandom

import msgspec
import pytest

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand, InstrumentDefine, MarketSetPhase, TimetableStep
from goldx.streams.frames import decode_events
from goldx.timetable import random_end
from goldx.timetable.compiled import PlannedStep
from goldx.timetable.decision import Decision, decide
from goldx.timetable.market_state import MarketState
from goldx.timetable.permission import Permission
from goldx.timetable.venue_time import shown_time
from matching.core.engine import Engine
from tests.goldx.timetable.test_compiled import EXAMPLE, at, timetable
from tests.matching.core.driving import command_tuple
from tests.matching.core.flows_of_regimes import regime_command

DORE = "AU-DORE"
KEY = bytes(range(32))
TIMETABLE = timetable()
MINUTE = 60_000
OF_ONE_DAY = ("pre_open", "auction", "continuous", "closed")
NIGHT = [("19:45", "pre_open"), ("19:50", "auction"), ("20:00", "continuous"), ("02:30", "closed")]
DAY = [
    ("08:45", "pre_open"),
    ("08:50", "auction"),
    ("09:00", "continuous"),
    ("11:30", "closed"),
    ("13:30", "continuous"),
    ("15:25", "auction"),
    ("15:30", "closed"),
]


class Day:
    """An exchange with two instruments of the example and one, AU-OTHER, that no timetable knows."""

    def __init__(self, begins: str, trading_day: str) -> None:
        self.now = at(begins)
        self.engine = Engine()
        self.market = MarketState()
        self.phases: list[tuple[str, str]] = []
        """(time, phase) of each change of AU-DORE."""
        self.refused: list[str] = []
        self.obstacles: tuple[str, ...] = ()
        """The obstacles in the permission that settlement publishes; by default it permits each day."""
        for symbol in (DORE, "AU-SCRAP", "AU-OTHER"):
            self.give(InstrumentDefine(symbol))
        if trading_day:
            self.give(commands.MarketEndDay(trading_day))

    def give(self, *given: AnyCommand) -> None:
        """Append commands to the journal at this time; the core applies them and the events are followed."""
        outcomes = [self.engine.apply(self.now, command_tuple(command)) for command in given]
        frame = decode_events(msgspec.msgpack.encode(((self.now, 0), outcomes)))
        before = self.market.instruments[DORE].phase if DORE in self.market.instruments else terms.CLOSED
        self.market.apply(frame)
        after = self.market.instruments[DORE].phase
        if after != before:
            self.phases.append((shown_time(self.now)[11:16], terms.PHASES[after]))
        for outcome in frame.outcomes:
            self.refused += [e.reason for e in outcome if e.event == "command.rejected"]  # type: ignore[union-attr]

    def permission(self) -> Permission | None:
        """Return the permission of the present trading day."""
        return Permission(self.market.trading_day, self.market.begun, self.obstacles)

    def decide(self) -> Decision:
        def draw(step: PlannedStep) -> int:
            return random_end.draw(
                KEY, date.fromisoformat(self.market.trading_day), step.symbol, step.planned_at, 30_000
            )

        return decide(
            TIMETABLE, self.market, self.now, lambda step: draw(step) if step.window_ms else 0, self.permission()
        )

    def follow(self, until: str, services: int = 1) -> None:
        """Let services follow the timetable until a time; with two, each decides before it has seen the other."""
        end = at(until)
        while True:
            decisions = [self.decide() for _ in range(services)]
            for decision in decisions:
                self.give(*decision.commands)
            if decisions[0].commands:
                continue
            wake = decisions[0].wake_at
            if wake > end:
                self.now = max(self.now, end)
                return
            assert wake > self.now
            self.now = wake

    def phase(self, symbol: str = DORE) -> str:
        return terms.PHASES[self.engine.state.instruments[symbol].phase]


def test_a_day_opens_breaks_closes_and_ends_by_the_plan() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 15:44:59")
    assert day.phases == [*NIGHT, *DAY]
    assert (day.market.trading_day, day.phase("AU-OTHER")) == ("2026-11-24", "closed")
    day.follow("2026-11-24 19:00:00")
    assert day.market.trading_day == "2026-11-25"
    assert day.refused == []


def test_friday_night_belongs_to_monday() -> None:
    day = Day("2026-11-20 15:50:00", "2026-11-23")
    day.follow("2026-11-23 08:00:00")
    assert day.phases == NIGHT
    assert day.market.trading_day == "2026-11-23"


def test_no_night_before_a_holiday_and_one_again_on_the_first_evening_after() -> None:
    day = Day("2026-09-30 15:00:00", "2026-09-30")
    day.give(MarketSetPhase(DORE, terms.CONTINUOUS))
    day.phases.clear()
    day.follow("2026-10-08 15:40:00")
    assert day.phases == [("15:25", "auction"), ("15:30", "closed"), *DAY]
    assert day.market.trading_day == "2026-10-08"
    day.phases.clear()
    day.follow("2026-10-09 08:00:00")
    assert (day.phases, day.market.trading_day) == (NIGHT, "2026-10-09")


def test_a_random_end_is_that_of_the_key_and_differs_by_instrument_and_day() -> None:
    drawn = set()
    for number in (24, 25):
        planned = at(f"2026-11-{number} 09:00:00")
        for symbol in (DORE, "AU-SCRAP"):
            day = Day(f"2026-11-{number - 1} 16:00:00", f"2026-11-{number}")
            expected = random_end.draw(KEY, date(2026, 11, number), symbol, planned, 30_000)
            day.follow(f"2026-11-{number} 08:59:59")
            day.now = planned + expected - 1
            taken = [c.symbol for c in day.decide().commands if isinstance(c, TimetableStep)]
            assert symbol not in taken
            day.now = planned + expected
            taken = [c.symbol for c in day.decide().commands if isinstance(c, TimetableStep)]
            assert symbol in taken
            drawn.add(expected)
    assert len(drawn) == 4


@pytest.mark.parametrize("late_seconds", [60, 1200])
@pytest.mark.parametrize("now", ["08:50:00", "08:59:30", "09:00:00.500"])
def test_no_command_depends_on_what_is_drawn_for_a_step_to_come(
    monkeypatch: pytest.MonkeyPatch, now: str, late_seconds: int
) -> None:
    """Also where a step may be late by more than is left until the next one, or that waits for its drawn time."""
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 08:49:59")
    moment, _, more = now.partition(".")
    day.now = at(f"2026-11-24 {moment}") + int(more or 0)
    monkeypatch.setattr(TIMETABLE, "late_ms", late_seconds * 1000)

    def drawing(end: int) -> Callable[[PlannedStep], int]:
        return lambda step: end if step.window_ms else 0

    found = {
        decide(TIMETABLE, day.market, day.now, drawing(end), day.permission()).commands for end in (600, 9_000, 30_000)
    }
    (given,) = found
    steps = [command for command in given if isinstance(command, TimetableStep)]
    assert {command.phase for command in steps} == {terms.AUCTION}
    assert all(day.now <= command.latest_at <= day.now + late_seconds * 1000 for command in steps)


def test_a_day_is_not_opened_beyond_the_calendar() -> None:
    day = Day("2026-12-31 15:00:00", "2026-12-31")
    day.follow("2026-12-31 23:00:00")
    found = day.decide()
    assert day.market.trading_day == "2026-12-31"
    assert found.commands == ()
    assert found.trouble == (
        "no trading day can begin: 2027-01-01 is not in the calendar, which runs from 2026-09-01 to 2026-12-31",
    )
    strange = Day("2026-12-31 15:00:00", "2027-01-04")
    assert "2027-01-04 is not in the calendar" in strange.decide().trouble[0]


def test_the_first_day_of_a_new_exchange_is_the_one_that_it_is() -> None:
    day = Day("2026-11-21 10:00:00", "")
    day.follow("2026-11-21 10:00:01")
    assert day.market.trading_day == "2026-11-23"


def test_what_was_missed_is_not_made_up_for_and_the_plan_for_now_counts() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 08:46:00")
    assert day.phase() == "pre_open"
    day.now = at("2026-11-24 10:00:00")
    day.phases.clear()
    day.follow("2026-11-24 10:00:01")
    # Neither the auction nor earlier steps are taken: only the present state is entered, and every step once.
    assert (day.phases, day.refused) == ([("10:00", "continuous")], [])
    # Steps that are late by less than late_seconds are taken in their order.
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 08:44:00")
    day.now = at("2026-11-24 08:51:00")
    day.phases.clear()
    day.follow("2026-11-24 08:51:01")
    assert day.phases == [("08:51", "auction")]


def test_days_that_nobody_followed_end_in_the_present_one() -> None:
    day = Day("2026-11-23 09:30:00", "2026-11-23")
    day.give(MarketSetPhase(DORE, terms.CONTINUOUS))
    day.now = at("2026-11-26 10:00:00")
    day.phases.clear()
    day.follow("2026-11-26 10:00:01")
    assert day.phases == [("10:00", "closed"), ("10:00", "continuous")]
    assert day.market.trading_day == "2026-11-26"


def test_a_stale_step_that_a_sleeping_service_sends_is_refused_by_the_core() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 08:59:00")
    day.now = at("2026-11-24 09:00:30")
    sleeping = day.decide().commands
    day.follow("2026-11-24 12:00:00")
    day.give(*sleeping)
    assert set(day.refused) == {"STEP_TAKEN"}
    # If no other service was running, the step is too late.
    alone = Day("2026-11-23 16:00:00", "2026-11-24")
    alone.follow("2026-11-24 08:59:00")
    alone.now = at("2026-11-24 09:00:30")
    sleeping = alone.decide().commands
    alone.now = at("2026-11-24 09:03:00")
    alone.give(*sleeping)
    assert set(alone.refused) == {"TOO_LATE"}
    assert alone.phase() == "auction"


def test_two_services_and_many_restarts_change_nothing() -> None:
    seed = SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    dice = Random(seed)
    alone = Day("2026-11-20 15:50:00", "2026-11-23")
    alone.follow("2026-11-24 19:00:00")
    both = Day("2026-11-20 15:50:00", "2026-11-23")
    both.follow("2026-11-24 19:00:00", services=2)
    restarted = Day("2026-11-20 15:50:00", "2026-11-23")
    stops = sorted(dice.randrange(at("2026-11-20 16:00:00"), at("2026-11-24 18:00:00")) for _ in range(40))
    for stop in stops:
        restarted.follow(shown_time(stop))
        # What a service knows is what it reads again from the events, or from its checkpoint.
        restarted.market = msgspec.json.decode(msgspec.json.encode(restarted.market), type=MarketState)
        # It comes back up to two minutes later.
        restarted.now += dice.randrange(119_000)
    restarted.follow("2026-11-24 19:00:00")
    assert both.phases == alone.phases
    assert both.market.instruments == alone.market.instruments
    assert set(both.refused) == {"STEP_TAKEN", "BAD_VALUE"}
    assert [phase for _, phase in restarted.phases] == [phase for _, phase in alone.phases]
    assert restarted.refused == []


def test_an_operator_holds_an_instrument_and_releases_it_into_the_present_state() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 08:55:00")
    day.give(commands.TimetableHold(DORE, True))
    day.follow("2026-11-24 09:40:00")
    assert (day.phase(), day.phase("AU-SCRAP")) == ("auction", "continuous")
    assert day.decide().deviations == (f"{DORE}: its timetable is held",)
    day.give(commands.TimetableHold(DORE, False))
    day.follow("2026-11-24 09:40:01")
    assert day.phase() == "continuous"


def test_an_operator_opens_late_and_extends() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 08:00:00")
    first, last = at("2026-11-24 08:45:00"), at("2026-11-24 09:00:00")
    day.give(commands.TimetableDelay(DORE, first, last, 30 * MINUTE))
    day.phases.clear()
    day.follow("2026-11-24 12:00:00")
    assert [time for time, _ in day.phases] == ["09:15", "09:20", "09:30", "11:30"]
    first, last = at("2026-11-24 15:25:00"), at("2026-11-24 15:30:00")
    day.give(commands.TimetableDelay(DORE, first, last, 10 * MINUTE))
    day.follow("2026-11-24 23:00:00")
    assert [time for time, _ in day.phases][-5:] == ["15:35", "15:40", "19:45", "19:50", "20:00"]
    assert day.refused == []


def test_what_a_person_did_by_hand_stays_until_the_next_step() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 10:00:00")
    day.give(MarketSetPhase(DORE, terms.AUCTION))
    day.give(InstrumentDefine("AU-DORE-2"))
    day.follow("2026-11-24 11:00:00")
    assert day.phase() == "auction"
    day.follow("2026-11-24 11:31:00")
    assert day.phase() == "closed"


def test_a_halted_instrument_is_left_alone_closed_in_the_end_and_does_not_open_by_itself() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 11:00:00")
    day.give(MarketSetPhase(DORE, terms.HALTED))
    day.follow("2026-11-24 14:00:00")
    assert day.decide().deviations == (f"{DORE}: it is halted",)
    assert day.phase() == "halted"
    day.follow("2026-11-25 10:00:00")
    assert (day.phase(), day.phase("AU-SCRAP"), day.market.trading_day) == ("closed", "continuous", "2026-11-25")
    day.give(commands.TimetableHold(DORE, False))
    day.follow("2026-11-25 10:00:01")
    assert day.phase() == "continuous"
    assert day.refused == []


def test_an_interruption_overtakes_no_step() -> None:
    """The service is away from 11:29 to 11:33, and an interruption begins and ends meanwhile."""
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.give(InstrumentDefine(DORE, dynamic_band_percent=1, reference_price=60_000, interruption_ms=60_000))
    for name, asset, amount in (("A", DORE, 10_000), ("B", "CNY", 10**9)):
        day.give(commands.AccountOpen(name, name), commands.HoldingAdjust(name, asset, amount, f"r{name}"))
    day.follow("2026-11-24 11:29:00")
    day.now = at("2026-11-24 11:31:00")
    for account, side in (("A", terms.SELL), ("B", terms.BUY)):
        day.give(commands.OrderPlace(account, "o", DORE, side, terms.LIMIT, 1_000, 65_000))
    assert day.phase() == "auction"
    day.now = at("2026-11-24 11:32:30")
    day.give(commands.ClockTick())
    assert day.phase() == "continuous"
    day.follow("2026-11-24 11:32:31")
    assert day.phase() == "closed"


def test_a_day_does_not_end_over_an_open_instrument() -> None:
    day = Day("2026-11-24 15:00:00", "2026-11-24")
    day.give(MarketSetPhase("AU-OTHER", terms.CONTINUOUS))
    day.follow("2026-11-24 16:00:00")
    assert day.decide().trouble == ("the day 2026-11-24 cannot end: AU-OTHER is continuous",)
    day.give(MarketSetPhase("AU-OTHER", terms.CLOSED))
    day.follow("2026-11-24 16:00:01")
    assert day.market.trading_day == "2026-11-25"


def test_a_wrong_trading_day_is_left_when_it_is_over() -> None:
    """Somebody has named a holiday: nothing opens on it, and the next trading day begins when it is over."""
    day = Day("2026-09-30 16:00:00", "2026-10-05")
    day.follow("2026-10-08 08:46:00")
    assert (day.market.trading_day, day.phase()) == ("2026-10-08", "pre_open")
    assert day.refused == []


def test_a_wrong_trading_day_that_has_not_begun_is_left_by_the_plan() -> None:
    """The timetable service ends a day without a second person, even before its date, if the plan names another day."""
    day = Day("2026-09-30 16:00:00", "2026-10-05")
    (end,) = day.decide().commands
    assert end == commands.MarketEndDay("2026-10-08", "timetable", terms.END_OF_DAY_BY_PLAN)


@pytest.mark.parametrize("late", [1, 3_600])
def test_lateness_is_the_timetables_own(late: int) -> None:
    other = timetable(EXAMPLE.replace("late_seconds = 120", f"late_seconds = {late}"))
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.follow("2026-11-24 08:44:00")
    day.now = at("2026-11-24 08:52:00")
    (first, *_) = decide(other, day.market, day.now, lambda _: 0, day.permission()).commands
    assert isinstance(first, TimetableStep)
    assert terms.PHASES[first.phase] == ("auction" if late == 1 else "pre_open")


def test_a_regime_without_the_book_opens_nothing_and_days_go_on_until_another_allows_it() -> None:
    day = Day("2026-11-23 16:00:00", "2026-11-24")
    day.give(*(regime_command(terms.NEGOTIATED, by) for by in ("ada", "ben")))
    day.follow("2026-11-25 10:00:00")
    assert (day.phases, day.refused, day.market.trading_day) == ([], [], "2026-11-25")
    assert f"{DORE}: the legal regime allows no order book" in day.decide().deviations
    caps = {"max_clients": 9, "max_day_value": 9, "max_total_value": 9, "last_trading_day": "2026-11-25"}
    day.give(*(regime_command(terms.SANDBOX, by, **caps) for by in ("ada", "ben")))
    day.follow("2026-11-25 16:00:00")
    assert day.phases
    opened = len(day.phases)
    day.follow("2026-11-26 16:00:00")
    assert (len(day.phases), day.refused) == (opened, []), "the sandbox has ended"
