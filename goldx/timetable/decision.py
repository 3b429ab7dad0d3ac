"""The decision what to do now, a pure function of timetable, market state, the exchange's time and the draws.

The present step of an instrument is the newest of the trading day's plan that is due. It is taken if the engine has not
taken it or a later one, and if nothing has changed the phase since it was due: a person who set a phase by hand has
overtaken the step, and a new instrument waits for its next one. Steps that are later than the timetable allows are left
out, except the present one: the plan for now counts. A halted instrument is not touched until its day's close.

A trading day other than the first is opened when settlement permits it (``goldx.timetable.permission``): until then no
step leads out of the phase closed. A day that has opened stays open, whatever is found later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from goldx.protocol import terms
from goldx.protocol.commands import AnyCommand, MarketEndDay, TimetableStep
from goldx.timetable.authored import CLOSED
from goldx.timetable.calendar import OutsideCalendar
from goldx.timetable.compiled import DayPlan, PlannedStep, Timetable
from goldx.timetable.market_state import InstrumentState, MarketState
from goldx.timetable.permission import Permission

BY: Final = "timetable"
"""The name under which the commands are sent."""

OPENING_ALERT_MS: Final = 30 * 60_000
"""The time before the first opening of a day from which on it is reported that the day may not open."""
LOOK_AGAIN_MS: Final = 60_000
"""The time after which it is decided again where no step is ahead: a wrong trading day of the engine may be over."""

Draw = Callable[[PlannedStep], int]
"""Returns the drawn ms from a step's planned time to its beginning."""


class Next(NamedTuple):
    """The next step of an instrument and when it is due, without the drawn delay, which is secret."""

    step: PlannedStep
    due_at: int


class Decision(NamedTuple):
    """``commands`` are to be sent now; nothing else is to be done before ``wake_at``, if nothing happens.

    For people: ``deviations`` names the instruments that are held or halted, ``trouble`` what else keeps the timetable
    from being followed.
    """

    commands: tuple[AnyCommand, ...]
    wake_at: int
    coming: tuple[Next, ...]
    deviations: tuple[str, ...]
    trouble: tuple[str, ...]


def decide(timetable: Timetable, market: MarketState, now: int, draw: Draw, permission: Permission | None) -> Decision:
    """Return the decision at a time (ms since the epoch, by the exchange's clock)."""
    trouble: list[str] = []
    waits = why_closed(market, permission)
    openings: list[int] = []
    deviations: list[str] = []
    plan = _plan(timetable, market, trouble)
    commands: list[AnyCommand] = []
    wakes: list[int] = []
    coming: list[Next] = []
    for symbol, steps in (plan.steps if plan is not None else {}).items():
        instrument = market.instruments.get(symbol)
        if instrument is None or instrument.retired:
            continue
        due = [step.planned_at + instrument.delay_of(step.planned_at) for step in steps]
        begins = {step: at + draw(step) for step, at in zip(steps, due, strict=True)}
        ahead = [step for step in steps if begins[step] > now and step.planned_at > instrument.planned_at]
        if ahead:
            wakes.append(min(begins[step] for step in ahead))
            coming.append(Next(ahead[0], ahead[0].planned_at + instrument.delay_of(ahead[0].planned_at)))
        step = _present(instrument, begins, now, timetable.late_ms)
        if waits and instrument.phase == terms.CLOSED:
            openings += [at for each, at in zip(steps, due, strict=True) if at > now and opens(each)][:1]
            if step is not None and opens(step):
                openings.append(now)
                step = None
        if instrument.held:
            deviations.append(f"{symbol}: its timetable is held")
        elif step is not None and instrument.phase == terms.HALTED and step.state != CLOSED:
            deviations.append(f"{symbol}: it is halted")
        elif step is not None and opens(step) and not market.may_open():
            deviations.append(f"{symbol}: the legal regime allows no order book")
        elif step is not None:
            latest = min([now + timetable.late_ms, *_limits(begins, due, now)])
            commands.append(TimetableStep(symbol, step.phase, step.planned_at, latest, BY))
    if not commands:
        commands += _end_day(timetable, market, now, trouble)
    if plan is not None and plan.ends_at > now:
        wakes.append(plan.ends_at)
    if openings and min(openings) - OPENING_ALERT_MS <= now:
        trouble.append(waits)
    elif openings:
        wakes.append(min(openings) - OPENING_ALERT_MS)
    return Decision(
        tuple(commands), min(wakes, default=now + LOOK_AGAIN_MS), tuple(coming), tuple(deviations), tuple(trouble)
    )


def _limits(begins: Mapping[PlannedStep, int], due: Iterable[int], now: int) -> Iterator[int]:
    """Yield how late a command may take effect in view of the steps to come: before they are due.

    What is drawn is in no command, as commands are in the log and the journal: of a step that is due and waits for its
    drawn time, the limit is the latest that could be drawn.
    """
    for (step, begin), at in zip(begins.items(), due, strict=True):
        if begin > now:
            yield at - 1 if at > now else at + step.window_ms


def opens(step: PlannedStep) -> bool:
    """Return whether a step leads a closed instrument out of that phase."""
    return step.phase != terms.CLOSED


def why_closed(market: MarketState, permission: Permission | None) -> str:
    """Return why the trading day may not open now, or an empty text if it may, or has opened."""
    if market.opened or not market.begun:
        return ""
    if permission is None:
        why = "settlement does not run, which has to permit it"
    elif permission.sequence != market.begun:
        why = "settlement has not reached the end of the day before"
    elif permission.obstacles:
        more = f" and {len(permission.obstacles) - 1} more" if len(permission.obstacles) > 1 else ""
        why = f"{permission.obstacles[0]}{more}; `goldx day why` shows who can clear it"
    else:
        return ""
    return f"{market.trading_day} does not open: {why}"


def _plan(timetable: Timetable, market: MarketState, trouble: list[str]) -> DayPlan | None:
    """Return the plan of the engine's trading day, or None where it has none."""
    if not market.trading_day:
        return None
    try:
        return timetable.plan(date.fromisoformat(market.trading_day))
    except (OutsideCalendar, ValueError) as error:
        trouble.append(f"the engine's trading day has no plan: {error}")
        return None


def _present(
    instrument: InstrumentState, begins: Mapping[PlannedStep, int], now: int, late_ms: int
) -> PlannedStep | None:
    """Return the step to take now: the first that is due and not too late, else the newest that is due."""
    due = [
        step
        for step, at in begins.items()
        if at <= now and at > instrument.changed_at and step.planned_at > instrument.planned_at
    ]
    in_time = [step for step in due if now - begins[step] <= late_ms]
    return in_time[0] if in_time else due[-1] if due else None


def _end_day(timetable: Timetable, market: MarketState, now: int, trouble: list[str]) -> list[AnyCommand]:
    """Return the end of the trading day where it is due: when every instrument is closed, and the next day is known."""
    try:
        today = str(timetable.day_at(now))
    except OutsideCalendar as error:
        trouble.append(f"no trading day can begin: {error}")
        return []
    if market.trading_day >= today:
        return []
    still_open = [
        symbol
        for symbol, instrument in market.instruments.items()
        if instrument.phase != terms.CLOSED and not instrument.retired
    ]
    if still_open:
        phase = terms.PHASES[market.instruments[still_open[0]].phase]
        trouble.append(f"the day {market.trading_day} cannot end: {still_open[0]} is {phase}")
        return []
    return [MarketEndDay(today, BY, terms.END_OF_DAY_BY_PLAN)]
