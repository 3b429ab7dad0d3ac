"""All state machines of settlement, by the kind of document."""

from collections.abc import Mapping

from settlement import (
    acceptance,
    aml,
    cash,
    claims,
    counter,
    encumbrances,
    exchange,
    fees,
    load_out,
    lots,
    proposals,
    provenance,
    receipts,
    tariff,
    transfers,
)
from settlement.states import Machine

MACHINES: Mapping[str, Machine] = {
    machine.kind: machine
    for machine in (
        *(lots.MACHINE, proposals.MACHINE, cash.MACHINE, receipts.MACHINE, encumbrances.PLEDGE.machine),
        *(encumbrances.LEGAL_HOLD.machine, transfers.MACHINE, load_out.MACHINE),
        *(claims.MACHINE, tariff.MACHINE, fees.MACHINE),
        *(counter.MACHINE, aml.MACHINE, provenance.MACHINE, exchange.MACHINE, exchange.PARTY, acceptance.MACHINE),
    )
}
