"""Bugs in the opening of a trading day: who may open it, when, and what is kept of that."""

from tests.planted_bugs.bug import Bug

OPENING = "day_opening.py"
DAY = "trading_day.py"

BUGS = (
    Bug(
        "a day that waits is opened by hand",
        "phases.py",
        "detail := day_opening.refuses_phase(state, phase)",
        "detail := ''",
    ),
    Bug(
        "a day that waits is opened by the timetable",
        "planned.py",
        "detail := day_opening.refuses_phase(state, phase)",
        "detail := ''",
    ),
    Bug(
        "deals and requests are made in a day that waits",
        "direct_trades.py",
        "if state.opening == day_opening.WAITS else",
        "if False else",
    ),
    Bug("the first day waits", OPENING, "WAITS if state.trading_day else PERMITTED", "WAITS"),
    Bug("every day is permitted", OPENING, "WAITS if state.trading_day else PERMITTED", "PERMITTED"),
    Bug("days wait that nobody demanded to", OPENING, "    if state.opening != NOT_DEMANDED:\n", "    if True:\n"),
    Bug("the engine takes the permission of another day", OPENING, "if trading_day != state.trading_day:", "if False:"),
    Bug("a permission is never taken back", OPENING, "if state.opening == OPENED:", "if state.opening >= PERMITTED:"),
    Bug("the engine closes a day that is open", OPENING, "if state.opening == OPENED:", "if False:"),
    Bug("the engine takes a halt for the opening", OPENING, "phase not in (CLOSED, HALTED)", "phase != CLOSED"),
    Bug(
        "a day that waits is not closed",
        OPENING,
        "state.opening != WAITS or not _trades(phase)",
        "state.opening != WAITS",
    ),
    Bug("a phase of trading does not open the day", "phases.py", "    day_opening.note_phase(state, phase)\n", ""),
    Bug("the engine takes no trade for the opening", "direct_trades.py", "    day_opening.note(state)\n", ""),
    Bug(
        "a demand closes a day that is open",
        OPENING,
        "state.opening == NOT_DEMANDED and any(",
        "False and any(",
    ),
    Bug("what is known is published again", OPENING, "!= (state.opening, state.obstacle)", "!= (NOT_DEMANDED, '')"),
    Bug("the obstacle of the day before is named", OPENING, '        state.obstacle = ""\n', ""),
    Bug("a day ends over an open instrument", DAY, "    if rules or state.opening:\n", "    if rules:\n"),
    Bug(
        "the demand is lost with a snapshot",
        "snapshot.py",
        "(state.opening, state.obstacle) if state.opening",
        "() if True",
    ),
    Bug(
        "an older state has other bytes",
        "snapshot.py",
        "(state.opening, state.obstacle) if state.opening else ()",
        "(state.opening, state.obstacle)",
    ),
)
