"""All state machines of settlement, by the kind of document."""

from collections.abc import Mapping
from typing import Final

from settlement.documents import (
    assays,
    banking,
    charges,
    closing,
    counts,
    custody,
    kinds,
    ledger,
    load_outs,
    lots,
    reconciliation,
    recycling,
    statements,
)
from settlement.documents.machine import Machine

MACHINES: Final[Mapping[str, Machine]] = {
    machine.kind: machine
    for machine in (
        lots.LOT,
        kinds.PROPOSAL,
        ledger.CASH_TRANSFER,
        ledger.CORRECTION,
        ledger.FEE_PAYOUT,
        custody.RECEIPT,
        custody.LOT_RESERVATION,
        custody.PLEDGE,
        custody.LEGAL_HOLD,
        custody.TRANSFER,
        load_outs.LOAD_OUT,
        load_outs.QUALITY_CLAIM,
        charges.TARIFF,
        charges.FEE_BILL,
        recycling.COUNTER_TICKET,
        recycling.AML_REPORT,
        lots.PROVENANCE,
        assays.ASSAY_EXCHANGE,
        assays.ASSAY_PARTY,
        lots.ACCEPTANCE,
        reconciliation.WAREHOUSE_KEY,
        reconciliation.BREAK,
        statements.ACCOUNT_STATEMENT,
        banking.BANK_TIE,
        banking.BANK_VOID,
        banking.VIRTUAL_ACCOUNT_END,
        banking.PAYEE_ACCOUNT,
        banking.WITHDRAWAL,
        banking.WITHDRAWAL_LIMIT,
        counts.INVENTORY_COUNT,
        statements.INVOICE,
        closing.DAY_DIFFERENCE,
    )
}
