"""What the core keeps does not grow with what is over."""

from goldx.protocol import terms
from matching.core.engine import Engine
from matching.core.state import NEVER

FAR = 10**12


def market() -> Engine:
    engine = Engine()
    engine.apply(0, (8, "AU"))
    engine.apply(0, (9, "ann", "M"))
    engine.apply(0, (10, "ann", "CNY", 10**9, "r"))
    engine.apply(0, (12, "AU", terms.CONTINUOUS))
    return engine


def test_expiries_of_orders_that_ended_are_forgotten() -> None:
    engine = market()
    for number in range(5_000):
        engine.apply(1, (1, "ann", f"c{number}", "AU", terms.BUY, terms.LIMIT, 1_000, 100, terms.GTD, FAR))
        engine.apply(1, (2, "ann", number + 1))
    assert len(engine.state.timetable) <= 1_001
    engine.apply(2, (1, "ann", "last", "AU", terms.BUY, terms.LIMIT, 1_000, 100, terms.GTD, FAR))
    expired = engine.apply(FAR, (17,))
    assert [(event[0], event[5], event[8]) for event in expired[:1]] == [(4, "last", "EXPIRED")]
    assert (engine.state.timetable, engine.state.next_due) == ([], NEVER)


def test_a_day_s_client_ids_and_a_two_days_references_are_kept() -> None:
    engine = market()
    engine.apply(1, (1, "ann", "open", "AU", terms.BUY, terms.LIMIT, 1_000, 100))
    engine.apply(1, (1, "ann", "done", "AU", terms.BUY, terms.LIMIT, 1_000, 100, terms.IOC))
    engine.apply(2, (18, "2026-11-25"))
    assert engine.state.accounts["ann"].ids.items() == [("open", 1)]
    assert engine.apply(3, (10, "ann", "CNY", 1, "r"))[0][4] == "DUPLICATE_ID"
    engine.apply(4, (18, "2026-11-26"))
    assert engine.apply(5, (10, "ann", "CNY", 1, "r"))[0][0] == 14
