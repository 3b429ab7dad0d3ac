"""State machines as tables: which steps a document can take, in which states, and who takes them.

They are data. ``settlement.base.steps`` obeys them, ``settlement.tables`` derives its CHECKs from them, and
``goldx clerk states`` prints and draws them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

CLERK: Final = "settle"
"""Role of a step: a member of staff who holds this permission."""
ENGINE: Final = "engine"
"""Role of a step: the settlement service itself, on the engine's event, a member's request, or since a day has come."""
MEMBER: Final = "member"
"""Role of a step: the member that the document is about, by any of its keys."""
OPERATOR: Final = "operate"
"""Role of a step: a member of staff who holds this permission."""
AS_BEFORE: Final = "as before"
"""State after a step that ends a hold: the one in which the hold began."""
START: Final = "(none)"
"""Drawn where a document begins."""
PROPOSAL: Final = "proposal"
"""Where the first of two people is recorded if not in a column of the document."""


class Step(NamedTuple):
    """One step of a document's life.

    ``before``: states in which it may be taken; none for a step that makes the document. ``after``: the state it leads
    to. ``first``, of a step of two people: the column in which the first of them is recorded, in this document or in
    the one behind the step, else PROPOSAL.
    """

    before: tuple[str, ...]
    after: str
    roles: tuple[str, ...] = (CLERK,)
    people: int = 1
    first: str = PROPOSAL


class Machine(NamedTuple):
    """The steps of one kind of document, in the order in which its life usually takes them.

    ``table_name``: the table of these documents, if it has another name than the kind.
    """

    kind: str
    steps: Mapping[str, Step]
    table_name: str = ""

    @property
    def table(self) -> str:
        """The name of the table of these documents."""
        return self.table_name or self.kind

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order in which the steps first reach it."""
        return tuple(dict.fromkeys(step.after for step in self.steps.values() if step.after != AS_BEFORE))

    @property
    def final(self) -> tuple[str, ...]:
        """The states that no step leads out of."""
        left = {state for step in self.steps.values() for state in step.before}
        return tuple(state for state in self.states if state not in left)

    @property
    def open(self) -> tuple[str, ...]:
        """The states that some step leads out of."""
        return self.without(self.final)

    def without(self, states: Iterable[str]) -> tuple[str, ...]:
        """Return the other states."""
        excluded = set(states)
        return tuple(state for state in self.states if state not in excluded)

    def before(self, *names: str) -> tuple[str, ...]:
        """Return the states in which at least one of the named steps may be taken."""
        found = {state for name in names for state in self.steps[name].before}
        return tuple(state for state in self.states if state in found)

    def after(self, *names: str) -> tuple[str, ...]:
        """Return the states that the named steps lead to."""
        found = {self.steps[name].after for name in names}
        return tuple(state for state in self.states if state in found)

    def within(self, first: str, *last: str) -> tuple[str, ...]:
        """Return the states in which a document can be once step ``first`` is taken and before one of ``last`` is."""
        reached = {self.steps[first].after}
        steps = [step for name, step in self.steps.items() if name not in last and step.after != AS_BEFORE]
        while more := {step.after for step in steps if step.after not in reached and reached & set(step.before)}:
            reached |= more
        return tuple(state for state in self.states if state in reached)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return step, from, to, role and people of each step, as ``goldx clerk states`` prints them."""
        return [
            (name, ", ".join(step.before) or START, step.after, " or ".join(step.roles), str(step.people))
            for name, step in self.steps.items()
        ]

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """Yield (from, to, label) of each arrow; a step that ends a hold leads to every state that can be held."""
        holds = {state for step in self.steps.values() if step.after == AS_BEFORE for state in step.before}
        held = [state for step in self.steps.values() for state in step.before if step.after in holds]
        for name, step in self.steps.items():
            label = name + (" (two people)" if step.people == 2 else "")
            for before in step.before or (START,):
                for after in held if step.after == AS_BEFORE else (step.after,):
                    yield before, after, label

    def dot(self) -> str:
        """Return the machine as a drawing for Graphviz."""
        lines = [f'  "{before}" -> "{after}" [label="{label}"];' for before, after, label in self.edges()]
        return "\n".join((f'digraph "{self.kind}" {{', "  rankdir=LR;", "  node [shape=box];", *lines, "}"))

    def mermaid(self) -> str:
        """Return the machine as a drawing for Mermaid."""
        shown = {START: "[*]"}
        lines = [f"  {shown.get(before, before)} --> {after}: {label}" for before, after, label in self.edges()]
        return "\n".join(("stateDiagram-v2", *lines))


def union(*groups: Iterable[str]) -> tuple[str, ...]:
    """Return the states of several groups, each once, in the order in which they first occur."""
    return tuple(dict.fromkeys(state for group in groups for state in group))
