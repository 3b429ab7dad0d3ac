"""The venue's bank accounts, and the statements that their banks send."""

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    LotNumber,
    Number,
    OneOf,
    Reader,
    Strict,
    TheStated,
    Transaction,
    new_router,
    read_as,
)
from api.settlement_routes.access import File as FileBody
from api.settlement_routes.rows import DIFFERENCE, Projection
from goldx.protocol.units import format_money, parse_money
from settlement.banking import (
    accounts,
    answers,
    bank_reconciliation,
    chain,
    claims,
    deposits,
    files,
    imports,
    near_ties,
    payment_table,
    payouts,
    profiles,
    ties,
    virtual_accounts,
    voids,
    withdrawals,
)
from settlement.base.working_days import parse_day, today
from settlement.workbooks import sheets
from settlement.workbooks.formats import Stated

router = new_router()

ACCOUNT = Projection("account_id account_number bank holder currency profile added_at added_by")
STATEMENT = Projection(
    "statement_no account_number kind format stated_id first_day last_day entries notes file_no taken_at taken_by "
    "void_no void_reason",
    opening="opening_fen",
    closing="closing_fen",
)
TAKEN = Projection(
    "statement_no account format kind stated_id first_day last_day entries new known notes",
    opening="opening_fen",
    closing="closing_fen",
)
ITEM = Projection(
    "item_no statement_no place part line day value_day reversal voided bank_reference code reference name account "
    "virtual_account text",
    amount="amount_fen",
)


SUSPENSE = Projection(
    "item_no statement_no place part day reversal bank_reference code reference name account virtual_account text",
    amount="amount_fen",
)
FOUND = Projection("item_no how account proposal why", amount="amount_fen")
NEAR_TIE = Projection("item_no choice why money owners day reference name account", amount="amount_fen")
VOID = Projection("void_no status account_number statement_no statements reason")
TIED = Projection("tie_no proposal")
ANSWER = Projection("end_to_end answer proposal note")
TIE = Projection("tie_no status payments money why", amount="amount_fen")
CLAIM = Projection("item_no of_cash account attempts cash_id status reason", amount="amount_fen")
VIRTUAL_ACCOUNT = Projection("number account added_at added_by ended_from")
STOPPED = Projection("cash_id account why", amount="amount_fen")
ORDER = Projection("cash_id account status end_to_end payee_name payee_account payee_bank payment_file_no answer at by")


class PaymentRequest(Strict):
    account: str
    amount: str = Field(description="CNY, more than zero", examples=["1000.00"])
    payee: LotNumber = Field(description="the number of the member's account at a bank, as `GET /payees` lists it")


class PaymentFileRequest(Strict):
    bank_account: str
    format: str = Field(default="pain.001", description="pain.001 or CSV")
    table: str | None = Field(
        default=None,
        description="with CSV: the bank's table, a name of `goldx clerk bank payment-tables`; default: plain",
    )


class VirtualAccountRequest(Strict):
    number: str
    account: str = Field(description="the trading account that gets what is paid to it")


class VirtualAccountEndRequest(Strict):
    reason: str
    from_day: str | None = Field(default=None, description="today or later; default: today", examples=["2026-12-01"])


class AssignmentRequest(Strict):
    account: str = Field(description="the trading account whose money it is")
    reason: str


class TieRequest(Strict):
    payments: list[int] = Field(description="payments in suspense")
    money: list[int] = Field(description="recorded money in or out that no payment is tied to, of the same sum")
    reason: str


class VoidRequest(Strict):
    reason: str
    with_later: bool = Field(default=False, description="also the statements that follow it and rest on its balance")


class BankAccountRequest(Strict):
    account_number: str = Field(examples=["3502 0000 1234 5678 901"])
    bank: str
    holder: str
    profile: str | None = Field(
        default=None, description="how tables of this bank are read: " + ", ".join(profiles.shipped())
    )


TheProfile = Annotated[str | None, Query(description="How a table is read; default: the account's profile")]
TheAccount = Annotated[str | None, Query(description="The account that a table is of, where it does not say so")]

TheEntries = Annotated[
    Annotated[str, OneOf(chain.READINGS)] | None,
    Query(description="What entries without references that equal known ones are, where the balances allow both"),
]


@router.post("/bank-accounts")
async def add_account(by: Clerk, connection: Transaction, request: BankAccountRequest) -> dict[str, int]:
    """Add a bank account of the venue."""
    return {"account_id": await accounts.add(connection, by, **request.model_dump())}


@router.get("/bank-accounts")
async def get_accounts(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the venue's bank accounts."""
    return listed("accounts", ACCOUNT, await accounts.listing(connection, page))


async def _read(
    connection: AsyncConnection, data: bytes, profile: str | None, account: str | None, stated: Stated
) -> files.Read:
    known = await accounts.profile(connection, account) if profile is None else profiles.find(profile)
    return await sheets.in_turn(lambda: files.read(data, known, account, stated))


def _outcome(found: imports.ImportedFile) -> dict[str, Any]:
    return {"file": found.file_no, "statements": [TAKEN(taken) for taken in found.statements]}


@router.post("/bank-statements/preview")
async def preview_statements(
    _: Reader,
    connection: Transaction,
    file: FileBody,
    stated: TheStated,
    profile: TheProfile = None,
    account: TheAccount = None,
    entries: TheEntries = None,
) -> dict[str, Any]:
    """Return what taking in a bank's file would come to, and how a table was read; changes nothing."""
    found = await _read(connection, file, profile, account, stated)
    outcome = await imports.preview(connection, file, found.statements, entries)
    return {**_outcome(outcome), "as_read": read_as(found.as_read)}


@router.post("/bank-statements")
async def take_statements(
    by: Clerk,
    connection: Transaction,
    file: FileBody,
    stated: TheStated,
    profile: TheProfile = None,
    account: TheAccount = None,
    entries: TheEntries = None,
    name: str = "upload",
) -> dict[str, Any]:
    """Take in a bank's file: MT940, camt.053, .052, .054, or a table. What is known already changes nothing."""
    found = await _read(connection, file, profile, account, stated)
    return _outcome(await imports.take_in(connection, by, name, file, found.statements, entries))


@router.get("/bank-statements")
async def get_statements(
    _: Reader, connection: Transaction, page: ThePage, account: str | None = None
) -> dict[str, Any]:
    """List the statements that were taken in, oldest first."""
    return listed("statements", STATEMENT, await imports.listing(connection, page, account=account))


@router.get("/bank-statements/{number}")
async def get_statement(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return one statement and what was noted when it was read."""
    return STATEMENT(await imports.find(connection, number))


@router.post("/bank-statements/{number}/void")
async def void_statement(by: Clerk, connection: Transaction, number: Number, request: VoidRequest) -> dict[str, int]:
    """Propose to void a statement that is wrong: what its payments have booked is undone."""
    return {"proposal": await voids.propose(connection, by, number, request.reason, with_later=request.with_later)}


@router.get("/bank-voids")
async def get_voids(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the statements that were voided as wrong, or are proposed to be, and those that were voided with them."""
    return listed("voids", VOID, await voids.listing(connection, page))


@router.get("/bank-entries")
async def get_entries(
    _: Reader, connection: Transaction, page: ThePage, statement: int | None = None
) -> dict[str, Any]:
    """List the payments in statements; those of a batch have one entry (``place``) and a ``part`` each."""
    return listed("payments", ITEM, await imports.items(connection, page, statement=statement))


@router.post("/virtual-accounts")
async def add_virtual_account(by: Clerk, connection: Transaction, request: VirtualAccountRequest) -> dict[str, str]:
    """Assign payments to a virtual account to a trading account."""
    await virtual_accounts.add(connection, by, request.number, request.account)
    return {"number": request.number, "account": request.account}


@router.post("/virtual-accounts/{number}/end")
async def end_virtual_account(
    by: Clerk, connection: Transaction, number: str, request: VirtualAccountEndRequest
) -> dict[str, int]:
    """Propose to end a virtual account: payments to it from that day on wait in suspense."""
    day = today() if request.from_day is None else parse_day("from_day", request.from_day)
    return {"proposal": await virtual_accounts.propose_end(connection, by, number, day, request.reason)}


@router.get("/virtual-accounts")
async def get_virtual_accounts(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List virtual accounts."""
    return listed("virtual_accounts", VIRTUAL_ACCOUNT, await virtual_accounts.listing(connection, page))


@router.post("/bank-matches")
async def match_payments(by: Clerk, connection: Transaction) -> dict[str, Any]:
    """Propose to book every payment whose account can be determined, and every return."""
    return {"payments": [FOUND(found) for found in await deposits.match(connection, by)]}


@router.get("/bank-suspense")
async def get_suspense(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the payments without a matching transfer of money."""
    return listed("payments", SUSPENSE, await deposits.suspense(connection, page))


@router.post("/bank-suspense/{number}/assign")
async def assign_payment(
    by: Clerk, connection: Transaction, number: Number, request: AssignmentRequest
) -> dict[str, int]:
    """Propose a payment in suspense as the money of an account."""
    return {"proposal": await deposits.assign(connection, by, number, request.account, request.reason)}


@router.get("/bank-near-ties")
async def get_near_ties(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List what payments in suspense may be, where the evidence does not decide."""
    return listed("near_ties", NEAR_TIE, await near_ties.listing(connection, page))


@router.post("/bank-ties")
async def tie_payments(by: Clerk, connection: Transaction, request: TieRequest) -> dict[str, int | None]:
    """Tie payments in suspense to the recorded money that they are; ``proposal`` waits for a second person, if any."""
    return TIED(await ties.tie(connection, by, request.payments, request.money, request.reason))


@router.get("/bank-ties")
async def get_ties(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List what was tied by hand, and what is proposed to be."""
    return listed("ties", TIE, await ties.listing(connection, page))


@router.get("/bank-claims")
async def get_claims(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List what accounts owe, as the bank took the payment back or none stands behind the money (``of_cash``).

    The amount is below zero.
    """
    return listed("claims", CLAIM, await claims.listing(connection, page))


@router.post("/bank-claims/{number}/collect")
async def collect_claim(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Propose once more to take out what an account owes for a payment that the bank took back."""
    return {"proposal": await claims.collect(connection, by, number)}


@router.post("/bank-claims/money/{number}/collect")
async def collect_money(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Propose once more to take out money that no payment of the bank stands behind."""
    return {"proposal": await claims.collect_money(connection, by, number)}


@router.post("/bank-reconciliations")
async def reconcile_bank(by: Clerk, connection: Transaction) -> dict[str, Any]:
    """Compare the bank's statements with the ledger; differences become breaks of the scope ``bank``."""
    proof = await bank_reconciliation.reconcile(connection, by)
    accounts_ = [{"account": name, "day": day, "closing": format_money(fen)} for name, day, fen in proof.accounts]
    money = {"bank": format_money(proof.bank_fen), "ledger": format_money(proof.ledger_fen)}
    return {"run_id": proof.run_id, **money, "accounts": accounts_, "breaks": list(map(DIFFERENCE, proof.breaks))}


@router.post("/payment-orders")
async def order_payment(by: Clerk, connection: Transaction, request: PaymentRequest) -> dict[str, int]:
    """Propose to pay money of an account to its member's account at a bank: a withdrawal in the member's place."""
    amount = parse_money(request.amount)
    return {"proposal": await withdrawals.pay(connection, by, request.account, amount, request.payee)}


@router.get("/payment-orders")
async def get_orders(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List payments to members, each with the file that has it and the bank's last answer."""
    found = await payouts.listing(connection, page)
    return listed("orders", lambda row: {**ORDER(row), "amount": format_money(-row.amount)}, found)


@router.post("/payment-files")
async def send_payments(by: Clerk, connection: Transaction, request: PaymentFileRequest) -> dict[str, Any]:
    """Put every order that is in no file yet into a new one; those that may not be paid now are left out and named."""
    table = None if request.table is None else payment_table.find(request.table)
    sent = await payouts.send(connection, by, request.bank_account, request.format, table)
    made = {"file": sent.payment_file_no, "payments": sent.payments, "sum": format_money(sent.sum_fen)}
    return {**made, "stopped": [STOPPED(one) for one in sent.stopped]}


@router.get("/payment-files/{number}/content", response_class=Response)
async def get_payment_file(_: Clerk, connection: Transaction, number: Number) -> Response:
    """Return a payment file as it was made, however often."""
    sent = await payouts.again(connection, number)
    media_type, ending = ("text/csv", "csv") if sent.format == "CSV" else ("application/xml", "xml")
    name = f'attachment; filename="payments-{number}.{ending}"'
    return Response(sent.content, media_type=media_type, headers={"Content-Disposition": name})


@router.post("/payment-answers")
async def take_answers(by: Clerk, connection: Transaction, file: FileBody) -> dict[str, Any]:
    """Take in the bank's answer (pain.002); the money of a rejected payment is proposed back to its account."""
    found = await sheets.in_turn(lambda: answers.read(file))
    return {"answers": list(map(ANSWER, await payouts.take_answers(connection, by, found)))}
