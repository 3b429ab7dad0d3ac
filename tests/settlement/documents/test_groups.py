"""Groups of states are what a person would write down, and follow the machines when these grow."""

import re
from pathlib import Path

import pytest

import settlement
from settlement.banking import withdrawal_states
from settlement.documents import banking, charges, custody, ledger, load_outs, lots, recycling
from settlement.documents.machine import Machine, Step
from settlement.documents.machines import MACHINES

GROUPS: list[tuple[tuple[str, ...], str]] = [
    (lots.GONE, "CANCELLED CONSUMED RETURNED RELEASED"),
    (
        lots.AT_WAREHOUSE,
        "ARRIVED WEIGHED SCREENED MELTED SAMPLED ASSAYED CERTIFIED REGISTERED RECEIPTED ALLOCATED WITHDRAWN "
        "REJECTED QUARANTINED",
    ),
    (
        lots.IN_STOCK,
        "WEIGHED SCREENED MELTED SAMPLED ASSAYED CERTIFIED REGISTERED RECEIPTED ALLOCATED WITHDRAWN REJECTED "
        "QUARANTINED",
    ),
    (lots.UNMELTED, "WEIGHED SCREENED"),
    (lots.WEIGHT_OPEN, "WEIGHED SCREENED SAMPLED ASSAYED"),
    (lots.FINE_KNOWN, "CERTIFIED REGISTERED RECEIPTED ALLOCATED WITHDRAWN RELEASED"),
    (lots.FINE_POSSIBLE, "CONSUMED QUARANTINED REJECTED RETURNED"),
    (lots.CERTIFIED_IN_STOCK, "CERTIFIED REGISTERED RECEIPTED ALLOCATED WITHDRAWN"),
    (lots.IN_POOL, "RECEIPTED ALLOCATED"),
    (lots.PROMISED, "ALLOCATED WITHDRAWN"),
    (lots.LOCKABLE, "REGISTERED RECEIPTED"),
    (lots.STOPPABLE, "REGISTERED RECEIPTED ALLOCATED WITHDRAWN"),
    (lots.HANDED_OUT, "RELEASED"),
    (lots.PROVENANCE_CLOSED, "REGISTERED RECEIPTED ALLOCATED WITHDRAWN RELEASED RETURNED CONSUMED CANCELLED"),
    (custody.RECEIPT_OPEN, "PROPOSED ISSUING LIVE"),
    (custody.BOUND, "LIVE RELEASE_ENTERED RELEASE_PAIRED LIFT_PROPOSED RELEASING"),
    (custody.NEVER_BOUND, "REFUSED WITHDRAWN"),
    (custody.PLEDGOR_ALONE, "ENTERED WITHDRAWN"),
    (custody.RELEASE_BY_BOTH, "RELEASE_PAIRED RELEASING RELEASED"),
    (charges.BILL_UNDER_WAY, "PROPOSED SENDING"),
    (charges.BILL_REPLACEABLE, "ARREAR DECLINED"),
    (charges.BILL_UNPAID, "ARREAR PROPOSED SENDING DECLINED"),
    (charges.BILL_ONE_PER_ACCOUNT, "PROPOSED SENDING ARREAR"),
    (load_outs.UNSETTLED, "APPLIED APPROVED"),
    (load_outs.STOPPABLE, "APPLIED APPROVED SUCCESS SIGNED CANCEL_PROPOSED"),
    (load_outs.UNCOLLECTED, "SUCCESS SIGNED CANCEL_PROPOSED"),
    (recycling.TICKET_PAID, "PAID DELIVERED"),
    (recycling.REPORT_WAITING, "REVIEW DUE"),
    (ledger.BANK_REFERENCE_USED, "PROPOSED SENDING DONE"),
    (ledger.OUTBOX_OPEN, "PENDING SENDING SENT"),
    (ledger.OUTBOX_UNSENT, "PENDING SENDING"),
    (ledger.OUTBOX_CLOSED, "DONE REFUSED"),
    (
        banking.WITHDRAWAL_STATES,
        "ASKED ACCEPTED DECLINED CANCELLED APPROVED REFUSED HELD SENT PAID REJECTED RETURNED",
    ),
    (banking.WITHDRAWAL_UNSENT, "ASKED ACCEPTED APPROVED HELD"),
    (banking.WITHDRAWAL_UNDECIDED, "ASKED ACCEPTED APPROVED"),
    (banking.CANCELLABLE, "ASKED ACCEPTED HELD"),
]


@pytest.mark.parametrize(("group", "expected"), GROUPS, ids=[expected for _, expected in GROUPS])
def test_a_group_is_what_its_description_says(group: tuple[str, ...], expected: str) -> None:
    assert sorted(group) == sorted(expected.split())


def test_a_state_that_a_machine_gains_is_in_the_groups_that_it_belongs_to() -> None:
    """With a step out of the vault that does not exist yet."""
    steps = {**lots.LOT.steps, "seize": Step(("REGISTERED",), "SEIZED"), "audit": Step(("RECEIPTED",), "AUDITED")}
    steps["end_audit"] = Step(("AUDITED",), "RECEIPTED")
    grown = Machine("lot", steps)
    assert set(grown.final) == {*lots.GONE, "SEIZED"}
    assert set(grown.within("issue", "withdraw", "unissue")) == {*lots.IN_POOL, "AUDITED"}


def test_no_other_module_spells_out_a_set_of_states() -> None:
    """Two states of one machine side by side belong into ``settlement.documents``, in SQL texts too."""
    machines = [set(machine.states) for machine in (*MACHINES.values(), ledger.OUTBOX, banking.WITHDRAWAL_SEEN)]
    side_by_side = re.compile(r"""(["'])([A-Z_]+)\1,\s*(["'])([A-Z_]+)\3""")
    root = Path(settlement.__file__).parent
    allowed = {root / "documents", root / "migrations" / "versions"}
    found = [
        f"{path.relative_to(root.parent)}: {match[0]}"
        for path in sorted([*root.rglob("*.py"), *(root.parent / "api").rglob("*.py")])
        if not allowed & set(path.parents)
        for match in side_by_side.finditer(path.read_text())
        if any({match[2], match[4]} <= states for states in machines)
    ]
    assert found == []


def test_no_route_answers_with_a_state_of_its_own() -> None:
    """The machine says what a step leads to; a route that spells it out would go on saying it when that changes."""
    states = {state for machine in MACHINES.values() for state in machine.states}
    answers = re.compile(r"""["'](?:state|status)["']: ["']([A-Z_]+)["']""")
    root = Path(settlement.__file__).parent.parent / "api"
    found = [
        f"{path.relative_to(root.parent)}: {match[0]}"
        for path in sorted(root.rglob("*.py"))
        for match in answers.finditer(path.read_text())
        if match[1] in states
    ]
    assert found == []


def test_what_a_member_sees_of_a_withdrawal_are_its_own_states_and_those_of_its_money() -> None:
    """And the page about them, in ``withdrawal_states``, has each of them."""
    seen = banking.WITHDRAWAL_SEEN
    ended = ledger.CASH_TRANSFER.after("decline", "refuse")
    assert set(ended) == set(seen.after("decline_money", "refuse")), "the state of money that never left is shown"
    for name, step in banking.WITHDRAWAL.steps.items():
        assert seen.steps[name].after == step.after
        assert name == "stop" or set(step.before) <= set(seen.steps[name].before)
    described = re.findall(r"^([A-Z]+) ", str(withdrawal_states.__doc__), re.MULTILINE)
    assert sorted(described) == sorted(seen.states)
