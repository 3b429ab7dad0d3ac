"""Bugs in what the timetable's service decides: which step is due, and whether the trading day may open."""

from tests.planted_bugs.bug import Bug

DECISION = "decision.py"
MARKET = "market_state.py"

BUGS = (
    Bug("a day opens without permission", DECISION, "if market.opened or not market.begun:", "if True:"),
    Bug("the first day waits for a close, too", MARKET, "event.sequence if self.trading_day else 0", "event.sequence"),
    Bug("the permission of another day counts", DECISION, "permission.sequence != market.begun", "False"),
    Bug("obstacles do not keep a day closed", DECISION, "    elif permission.obstacles:\n", "    elif False:\n"),
    Bug("an open day is closed by what is found in it", MARKET, "self.opened or event.phase", "event.phase"),
    Bug("a day that ends stays open for the next one", MARKET, "            self.opened = False\n", ""),
    Bug("nobody hears of it before the opening", DECISION, "min(openings) - OPENING_ALERT_MS <= now", "False"),
    Bug("a late step is made up for", DECISION, "if now - begins[step] <= late_ms", "if True"),
    Bug("a held timetable is followed", DECISION, "        if instrument.held:\n", "        if False:\n"),
    Bug("a halted instrument is opened", DECISION, "instrument.phase == terms.HALTED and", "False and"),
    Bug("a day ends while an instrument is open", DECISION, "    if still_open:\n", "    if False:\n"),
)
