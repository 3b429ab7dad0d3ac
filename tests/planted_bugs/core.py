"""The bugs that are planted in the core: bugs that real engines have had."""

from tests.planted_bugs import core_book, core_decisions, core_numbers, core_orders, core_venue
from tests.planted_bugs.bug import Bug

BUGS: tuple[Bug, ...] = (*core_book.BUGS, *core_orders.BUGS, *core_venue.BUGS, *core_numbers.BUGS, *core_decisions.BUGS)
