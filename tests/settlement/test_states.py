"""The state machines: what they allow, what they refuse and why, and that tables, drawings and database agree."""

import re

import pytest
from click.testing import CliRunner
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.cli import main
from settlement import cash, lots, proposals, schema
from settlement.machines import MACHINES
from settlement.refusal import Refused
from settlement.states import ACTOR, AS_BEFORE, CLERK, EXCHANGE, Machine
from tests.settlement.exchange import Exchange
from tests.settlement.house import ONE, OTHER, House

KINDS = sorted(MACHINES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_refused_in_every_state_that_the_table_does_not_name(kind: str) -> None:
    machine = MACHINES[kind]
    refused = 0
    for name, step in machine.steps.items():
        for state in machine.states:
            if state in step.before:
                assert machine.allow(name, 7, state) is step
                continue
            with pytest.raises(Refused, match=rf"{kind} 7 is {state}; to ") as error:
                machine.allow(name, 7, state)
            assert error.value.reason == "ILLEGAL_STEP"
            refused += 1
    assert refused > len(machine.steps)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_whole(kind: str) -> None:
    """Every state can be reached, every step leads from a state that there is, and roles are known."""
    machine = MACHINES[kind]
    reached = {step.after for step in machine.steps.values() if not step.before}
    assert reached, "something makes the document"
    while more := {
        step.after
        for step in machine.steps.values()
        if step.after != AS_BEFORE and step.after not in reached and reached & set(step.before)
    }:
        reached |= more
    assert reached == set(machine.states)
    for step in machine.steps.values():
        assert set(step.before) <= reached
        assert step.roles
        assert set(step.roles) <= {CLERK, EXCHANGE}
        assert step.people in (1, 2)


@pytest.mark.parametrize(
    ("machine", "table", "column"),
    [
        (lots.MACHINE, schema.lot, "state"),
        (cash.MACHINE, schema.cash_transfer, "status"),
        (proposals.MACHINE, schema.proposal, "status"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_database_knows_the_states_of_the_table(machine: Machine, table: Table, column: str) -> None:
    (rule,) = [
        str(found.sqltext)
        for found in table.constraints
        if isinstance(found, CheckConstraint) and str(found.sqltext).startswith(f"{column} IN")
    ]
    assert set(re.findall(r"'([A-Z_]+)'", rule)) == set(machine.states)


@pytest.mark.parametrize("kind", KINDS)
def test_drawings_have_every_step(kind: str) -> None:
    machine = MACHINES[kind]
    table = CliRunner().invoke(main, ("clerk", "--as", "anybody", "states", kind))
    assert table.exit_code == 0, table.output
    for name, step in machine.steps.items():
        line = next(line for line in table.output.splitlines() if line.split()[:1] == [name])
        assert line.endswith(str(step.people))
    dot, mermaid = machine.dot().splitlines(), machine.mermaid().splitlines()
    edges = list(machine.edges())
    assert len(dot) - 4 == len(mermaid) - 1 == len(edges)
    for before, after, label in edges:
        assert f'  "{before}" -> "{after}" [label="{label}"];' in dot


async def test_only_who_has_the_role_takes_a_step(engine: AsyncEngine, exchange: Exchange) -> None:
    house = House(engine, exchange)
    await house.build()
    numbers = await house.register([{}])
    with pytest.raises(Refused, match="may not issue a lot") as refused:
        async with engine.begin() as connection:
            await lots.take(connection, ONE, "issue", numbers)
    assert refused.value.reason == "NOT_PERMITTED"
    async with engine.begin() as connection:
        number = await cash.propose(connection, ONE, "A.H", 100, "bank-1")
        (document,) = [found.subjects[0] for found in await proposals.waiting(connection)]
    for by in (ONE, OTHER):
        with pytest.raises(Refused) as refused:
            async with engine.begin() as connection:
                await cash.approved(connection, by, [document])
        assert refused.value.reason == "TWO_PEOPLE", "the proposal is not approved"
    await house.approve(number)
    async with engine.begin() as connection:
        await cash.done(connection, ACTOR, [document])
