"""The states of a trading day's close and of its steps, who signs it, and how a price of the day was found."""

from collections.abc import Mapping
from typing import Final

from settlement.documents.machine import CLERK, OPERATOR, Machine, Step

CLOSING: Final = "CLOSING"
"""Some steps are not done."""
CLOSED: Final = "CLOSED"
"""All steps are done."""
DAY_STATES: Final = (CLOSING, CLOSED)

CAPACITIES: Final[Mapping[str, str]] = {"settlement": "settle", "warehouse": "warehouse", "risk": "operate"}
"""The capacities in which three people sign a closed day, each with the permission that it takes."""

DAY_DIFFERENCE: Final = Machine(
    "day_difference",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "TAKEN_OVER", (OPERATOR,), people=2),
        "decline": Step(("PROPOSED",), "DECLINED", (CLERK, OPERATOR)),
    },
)
"""A difference between engine and ledger at a day's end: a clerk proposes to take it over into the next day, and risk,
who operates the market, approves.
"""
TAKEN_OVER: Final = DAY_DIFFERENCE.steps["approve"].after
DIFFERENCE_DECLINED: Final = DAY_DIFFERENCE.steps["decline"].after

RUNNING: Final = "RUNNING"
"""The step has begun; if the close was killed, it begins again."""
BLOCKED: Final = "BLOCKED"
"""Something stands in the way of the step."""
DONE: Final = "DONE"
STEP_STATES: Final = (RUNNING, BLOCKED, DONE)

AUCTION: Final = "AUCTION"
"""The price of the closing auction."""
WINDOW: Final = "WINDOW"
"""The average of the last minutes of trading, weighted by quantity."""
LAST: Final = "LAST"
"""The day's last price."""
AVERAGE: Final = "AVERAGE"
"""The average of the day's trades, weighted by quantity."""
PREVIOUS: Final = "PREVIOUS"
"""The price of the day before, as the day has no trade."""
REFERENCE: Final = "REFERENCE"
"""The reference price, as there was no trade yet."""
NO_PRICE: Final = "NONE"
CLOSING_METHODS: Final = (AUCTION, WINDOW, LAST, PREVIOUS, REFERENCE, NO_PRICE)
SETTLEMENT_METHODS: Final = (AVERAGE, PREVIOUS, REFERENCE, NO_PRICE)
BENCHMARK_METHODS: Final = (AVERAGE, PREVIOUS, NO_PRICE)
