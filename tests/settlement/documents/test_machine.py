"""The state machines: allowed and refused steps, and the agreement of tables, drawings and database with them."""

import re

import pytest
from click.testing import CliRunner
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.cli import main
from settlement.base import proposals, registry
from settlement.base.proposals import Proposal
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE, allow, authorize, check_another
from settlement.documents.machine import AS_BEFORE, CLERK, ENGINE, MEMBER, OPERATOR, PROPOSAL, Machine
from settlement.documents.machines import MACHINES
from settlement.ledger import cash
from settlement.lots import lots
from settlement.tables.schema import metadata
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange

KINDS = sorted(MACHINES)
WITHOUT_A_MACHINE = {"lot_lock.by", "melt.by", "trade_bust.by"}
"""Columns of a first person in tables without a state machine."""
SECOND_ELSEWHERE = {"encumbrance.entered_by", "aml_report.made_by"}
"""Columns of a first person whose second is not recorded in the same row."""


def table_of(machine: Machine) -> Table:
    return metadata.tables[machine.table]


def rules(table: Table) -> list[str]:
    """Return the CHECKs of a table."""
    return [str(found.sqltext) for found in table.constraints if isinstance(found, CheckConstraint)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_refused_in_every_other_state(kind: str) -> None:
    machine = MACHINES[kind]
    refused = 0
    for name, step in machine.steps.items():
        for state in machine.states:
            if state in step.before:
                assert allow(machine, name, 7, state) is step
                continue
            with pytest.raises(Refused, match=rf"{kind} 7 is {state}; to ") as error:
                allow(machine, name, 7, state)
            assert error.value.reason == "ILLEGAL_STEP"
            refused += 1
    assert refused > len(machine.steps)


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_is_whole(kind: str) -> None:
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
        assert set(step.roles) <= {CLERK, ENGINE, MEMBER, OPERATOR}
        assert step.people in (1, 2)


@pytest.mark.parametrize("name", sorted({table_of(machine).name for machine in MACHINES.values()}))
def test_the_database_knows_the_states_of_the_machine(name: str) -> None:
    states = {state for machine in MACHINES.values() if table_of(machine).name == name for state in machine.states}
    table = metadata.tables[name]
    column = "state" if "state" in table.c else "status"
    (rule,) = [rule for rule in rules(table) if rule.startswith(f"{column} IN")]
    assert set(re.findall(r"'([A-Z_]+)'", rule)) == states


def test_the_database_keeps_the_two_people_of_a_step_apart() -> None:
    """For every step of two people that a document records, a CHECK keeps the two apart."""
    recorded = {
        step.first if "." in step.first else f"{table_of(machine).name}.{step.first}"
        for machine in MACHINES.values()
        for step in machine.steps.values()
        if step.people == 2 and step.first != PROPOSAL
    }
    held = {
        f"{table.name}.{first}"
        for table in metadata.tables.values()
        for rule in rules(table)
        for second, first in re.findall(r"\b(\w*by) <> (\w+)", rule)
        if second in table.c
    }
    assert held - WITHOUT_A_MACHINE == recorded - SECOND_ELSEWHERE
    assert held >= WITHOUT_A_MACHINE
    assert recorded >= SECOND_ELSEWHERE
    for place in recorded:
        table, _, column = place.partition(".")
        assert column in metadata.tables[table].c


async def test_one_person_alone_takes_no_step_of_two(engine: AsyncEngine) -> None:
    """It takes a proposal that somebody else has approved, or another person than the document records."""
    async with engine.begin() as connection:
        await registry.add_staff(connection, "test", ONE, ONE, ["settle"])
        for machine in MACHINES.values():
            for name, step in machine.steps.items():
                if step.roles != (CLERK,):
                    continue
                if step.people == 2 and step.first == PROPOSAL:
                    with pytest.raises(Refused) as refused:
                        await authorize(connection, machine, name, ONE, [7])
                    assert refused.value.reason == "TWO_PEOPLE"
                    continue
                await authorize(connection, machine, name, ONE, [7])
                if step.people == 2:
                    check_another(machine, name, 7, OTHER, ONE)
                    with pytest.raises(Refused, match=f"7 is .* {ONE}; to .* it takes another person") as refused:
                        check_another(machine, name, 7, ONE, ONE)
                    assert refused.value.reason == "SAME_PERSON"


@pytest.mark.parametrize("kind", KINDS)
def test_drawings_have_every_step(kind: str) -> None:
    machine = MACHINES[kind]
    table = CliRunner().invoke(main, ("clerk", "states", kind))
    assert table.exit_code == 0, table.output
    for name, step in machine.steps.items():
        line = next(line for line in table.output.splitlines() if line.split("\t")[:2] == [kind, name])
        assert line.endswith(str(step.people))
    dot, mermaid = machine.dot().splitlines(), machine.mermaid().splitlines()
    edges = list(machine.edges())
    assert len(dot) - 4 == len(mermaid) - 1 == len(edges)
    for before, after, label in edges:
        assert f'  "{before}" -> "{after}" [label="{label}"];' in dot


async def test_a_step_takes_the_role_that_the_machine_names(engine: AsyncEngine, engine_runner: EngineRunner) -> None:
    exchange = SmallExchange(engine, engine_runner)
    await exchange.build()
    numbers = await exchange.register([{}])
    with pytest.raises(Refused, match="may not issue a lot") as refused:
        async with engine.begin() as connection:
            await lots.take(connection, ONE, "issue", numbers)
    assert refused.value.reason == "NOT_PERMITTED"
    async with engine.begin() as connection:
        number = await cash.propose(connection, ONE, "A.H", 100, "bank-1")
        (waiting,) = await proposals.waiting(connection)
        (document,) = waiting.subjects
        assert waiting == Proposal(number, "cash", (document,), waiting.summary, "PROPOSED", ONE)
    for by in (ONE, OTHER):
        with pytest.raises(Refused) as refused:
            async with engine.begin() as connection:
                await cash.approved(connection, by, [document])
        assert refused.value.reason == "TWO_PEOPLE", "the proposal is not approved"
    await exchange.approve(number)
    async with engine.begin() as connection:
        await cash.done(connection, SERVICE, [document])
