"""The kinds of proposal: each is whole, and everything that tells kinds apart agrees with the table."""

import inspect
import re

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.units import CASH
from settlement.documents.kinds import DOCUMENTS, KINDS, LEDGER_KINDS, MOVEMENTS, Net, StockEffect
from settlement.documents.machine import CLERK, ENGINE, PROPOSAL
from settlement.documents.machines import MACHINES
from settlement.ledger import outbox
from settlement.service.movements import DECISIONS, ActsOnDecision, ActsOnMovement
from settlement.tables.ledger import ACCOUNT_KINDS

DECIDING: dict[str, str | None] = {
    "receipt_cancel": None,
    "pledge_release": "approve_release",
    "legal_lift": "approve_release",
    "load_out_cancel": "approve_cancel",
    "pickup_code": None,
    "claim": "decide",
    "provenance": "accept",
    "lot_lift": "lift",
    "lot_return": "return",
    "weight_correction": None,
    "break_write_off": "write_off",
}
"""By kind: the step that its document takes when the proposal is approved, where that is not ``approve``.

None where it takes no step of a person: the engine cancels a receipt, and a code or a weight is no state.
"""


@pytest.mark.parametrize("kind", KINDS)
def test_what_decides_a_kind_is_whole(kind: str) -> None:
    """Its functions take what ``settlement.service.movements`` gives them, by position and name."""
    protocol = ActsOnDecision if KINDS[kind].movement is None else ActsOnMovement
    names = [name for name in ("approved", "declined", "done", "refused") if hasattr(protocol, name)]
    assert len(names) == (2 if protocol is ActsOnDecision else 4)
    for name in names:
        wanted = list(inspect.signature(getattr(protocol, name)).parameters)[1:]
        found = getattr(DECISIONS[kind], name)
        assert list(inspect.signature(found).parameters) == wanted, name
        assert inspect.iscoroutinefunction(found)


@pytest.mark.parametrize("kind", MOVEMENTS)
def test_what_a_kind_moves_is_whole(kind: str) -> None:
    """It is posted against accounts that the ledger has, and own stock changes only where gold comes or goes."""
    movement = MOVEMENTS[kind]
    assert {movement.cash_against, movement.gold_against} <= set(ACCOUNT_KINDS)
    if movement.gold is Net.NOTHING:
        assert movement.own_stock is StockEffect.STAYS


@pytest.mark.parametrize(
    ("table", "kinds"), [("proposal", KINDS), ("outbox", MOVEMENTS), ("ledger_entry", LEDGER_KINDS)], ids=str
)
async def test_the_database_allows_these_kinds_and_no_other(
    engine: AsyncEngine, table: str, kinds: tuple[str, ...]
) -> None:
    query = text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    async with engine.connect() as connection:
        rule = str(await connection.scalar(query, {"name": f"ck_{table}_kind_known"}))
    assert sorted(re.findall(r"'(\w+)'", rule)) == sorted(kinds)


@pytest.mark.parametrize(
    ("kind", "legs"),
    [
        ("receipt", (("A.H", "AU", -1),)),
        ("receipt", (("A.H", CASH, 1),)),
        ("receipt_cancel", (("A.H", "AU", 1),)),
        ("pledge", (("A.H", "AU", -5), ("A.H.PLEDGE", "AU", 4))),
        ("load_out", (("A.H", "AU", -5), ("A.H", CASH, -7), ("VENUE", CASH, 8))),
        ("fee", (("A.H", CASH, 1),)),
    ],
    ids=["gold out", "money", "gold in", "gold lost", "money made", "money in"],
)
async def test_nothing_is_queued_that_its_kind_cannot_move(
    engine: AsyncEngine, kind: str, legs: tuple[tuple[str, str, int], ...]
) -> None:
    async with engine.begin() as connection:
        with pytest.raises(ValueError, match=f"a {kind} changes all holdings of"):
            await outbox.put(connection, kind, "clerk-1", [(1, legs)])


def test_what_a_kind_is_about_agrees_with_the_machine_of_its_documents() -> None:
    """The kind and the machine have the same table, and the role that may approve is the kind's permission."""
    decided: dict[str, set[str]] = {document: set() for document in DOCUMENTS.values()}
    for name, kind in KINDS.items():
        machine = MACHINES[DOCUMENTS[name]]
        assert kind.table == machine.table, name
        assert kind.of != name
        step = DECIDING.get(name, "approve")
        if step is None:
            assert kind.permission == CLERK, name
        else:
            assert machine.steps[step].roles == (kind.permission,), name
            decided[DOCUMENTS[name]].add(step)
    for document, found in decided.items():
        of_people = {
            name
            for name, step in MACHINES[document].steps.items()
            if step.people == 2 and step.first == PROPOSAL and ENGINE not in step.roles
        }
        assert found == of_people, document
    assert {name for name, kind in KINDS.items() if kind.permission != CLERK} == {"day_difference"}
    assert {name for name, of in DOCUMENTS.items() if of == "lot"} == {"lot_lift", "lot_return", "weight_correction"}
