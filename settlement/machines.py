"""All state machines of settlement, by the kind of document."""

from collections.abc import Mapping

from settlement import cash, lots, proposals
from settlement.states import Machine

MACHINES: Mapping[str, Machine] = {machine.kind: machine for machine in (lots.MACHINE, proposals.MACHINE, cash.MACHINE)}
