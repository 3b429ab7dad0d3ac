"""All state machines of settlement, by the kind of document."""

from collections.abc import Mapping

from settlement.assays import two_parties
from settlement.base import proposals
from settlement.base.states import Machine
from settlement.charges import fees, tariff
from settlement.custody import encumbrances, receipts, transfers
from settlement.ledger import cash
from settlement.load_outs import application, claims
from settlement.lots import acceptance, lots, provenance
from settlement.recycling import aml, counter

MACHINES: Mapping[str, Machine] = {
    machine.kind: machine
    for machine in (
        *(lots.MACHINE, proposals.MACHINE, cash.MACHINE, receipts.MACHINE, encumbrances.PLEDGE.machine),
        *(encumbrances.LEGAL_HOLD.machine, transfers.MACHINE, application.MACHINE),
        *(claims.MACHINE, tariff.MACHINE, fees.MACHINE),
        *(counter.MACHINE, aml.MACHINE, provenance.MACHINE, two_parties.MACHINE, two_parties.PARTY, acceptance.MACHINE),
    )
}
