"""Withdrawals that members ask for, their accounts at banks, and the limits."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    LotNumber,
    Number,
    Operator,
    Reader,
    ReasonRequest,
    Strict,
    TheMember,
    Transaction,
    new_router,
)
from api.settlement_routes.rows import Projection
from goldx.protocol.units import CASH, parse_money
from settlement.banking import payees, payouts, withdrawal_limits, withdrawal_states, withdrawals
from settlement.documents.banking import WITHDRAWAL_STATES

router = new_router()
members = new_router("/v1", "withdrawals")
"""The routes that members call with their own keys."""

WITHDRAWAL = Projection(
    "withdrawal_no client_ref account payee_no payee_name payee_account payee_bank day state reason money_back "
    "end_to_end asked_at",
    amount="amount_fen",
)
WITHDRAWAL_OF_STAFF = Projection(
    "withdrawal_no member client_ref account payee_no payee_name payee_account payee_bank day state reason money_back "
    "owed cash_id back_cash_id payment_file_no end_to_end asked_at asked_by",
    amount="amount_fen",
)
PAYEE = Projection("payee_no member name account_number bank status usable_at end_reason")
WITHDRAWABLE = Projection("", available="available_fen", withdrawable="withdrawable_fen", asked="asked_fen")
LIMITS = Projection("", per_payment="per_payment_fen", per_day="per_day_fen")
LIMIT = Projection("limit_no account wait_hours status", per_payment="per_payment_fen", per_day="per_day_fen")
TheState = Annotated[str | None, Query(description="Only those of one state: " + ", ".join(WITHDRAWAL_STATES))]


class WithdrawalRequest(Strict):
    client_ref: str = Field(description="your own reference; the same request under it again is the same withdrawal")
    account: str = Field(description="one of your trading accounts", examples=["ALPHA.H"])
    amount: str = Field(description=f"{CASH}, more than zero", examples=["1000.00"])
    payee: LotNumber = Field(description="the number of your account at a bank, as `GET /v1/payees` lists it")


class PayeeRequest(Strict):
    member: str
    name: str = Field(description="the member's name, and no other")
    account_number: str
    bank: str = Field(description="the twelve digits of the bank (CNAPS), or its name")


class WithdrawalLimitRequest(Strict):
    account: str | None = Field(default=None, description="Default: all accounts that have no limits of their own")
    per_payment: str = Field(examples=["5000000.00"])
    per_day: str = Field(description="of one account on one trading day", examples=["20000000.00"])
    wait_hours: int = Field(description="between the approval of a payee and its first use")


@members.post("/withdrawals")
async def ask(principal: TheMember, connection: Transaction, request: WithdrawalRequest) -> dict[str, Any]:
    """Ask for a withdrawal. Repeat the same request where no answer came: it is done once."""
    member = str(principal.member)
    amount = parse_money(request.amount)
    asked = withdrawals.AskedWithdrawal(request.client_ref, request.account, amount, request.payee)
    number = await withdrawals.ask(connection, member, principal.key_id, asked)
    return WITHDRAWAL(await withdrawal_states.find(connection, number, member))


@members.get("/withdrawals")
async def get_own(
    principal: TheMember, connection: Transaction, page: ThePage, state: TheState = None
) -> dict[str, Any]:
    """List your withdrawals, each with its state."""
    found = await withdrawal_states.listing(connection, page, member=str(principal.member), state=state)
    return listed("withdrawals", WITHDRAWAL, found)


@members.get("/withdrawals/{number}")
async def get_own_one(principal: TheMember, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return one of your withdrawals."""
    return WITHDRAWAL(await withdrawal_states.find(connection, number, str(principal.member)))


@members.post("/withdrawals/{number}/cancel")
async def cancel(principal: TheMember, connection: Transaction, number: Number) -> dict[str, Any]:
    """Cancel one of your withdrawals that is not with the bank yet."""
    return WITHDRAWAL(await withdrawals.cancel(connection, str(principal.member), number))


@members.get("/payees")
async def get_own_payees(principal: TheMember, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List your accounts at banks; `usable_at` is when a new one may first be paid to, in ms since the epoch."""
    return listed("payees", PAYEE, await payees.listing(connection, page, member=str(principal.member)))


@members.get("/withdrawable/{account}")
async def get_withdrawable(principal: TheMember, connection: Transaction, account: str) -> dict[str, str]:
    """Return what one of your accounts has available and may withdraw, and the limits that hold for it."""
    found = await withdrawals.withdrawable_of(connection, str(principal.member), account)
    limits = await withdrawal_limits.of(connection, account)
    return {"account": account, **WITHDRAWABLE(found), **LIMITS(limits)}


@router.get("/withdrawals")
async def get_withdrawals(
    _: Reader, connection: Transaction, page: ThePage, state: TheState = None, member: str | None = None
) -> dict[str, Any]:
    """List withdrawals that members have asked for."""
    found = await withdrawal_states.listing(connection, page, member=member, state=state)
    return listed("withdrawals", WITHDRAWAL_OF_STAFF, found)


@router.post("/withdrawals/{number}/accept")
async def accept(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Accept a withdrawal as the first person: its payment is proposed for a second one."""
    return {"proposal": await withdrawals.accept(connection, by, number)}


@router.post("/withdrawals/{number}/decline")
async def decline(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, int]:
    """Decline a withdrawal that has not been accepted; the member sees the reason."""
    await withdrawals.decline(connection, by, number, request.reason)
    return {"withdrawal": number}


@router.post("/withdrawals/{number}/give-back")
async def give_back(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Propose the money of a withdrawal that is cancelled, or may not be paid, back to its account."""
    return {"proposal": await withdrawals.give_back(connection, by, number)}


@router.post("/payees")
async def propose_payee(by: Clerk, connection: Transaction, request: PayeeRequest) -> dict[str, int]:
    """Propose an account of a member at a bank."""
    payee = payouts.Payee(request.name, request.account_number, request.bank)
    return {"proposal": await payees.propose(connection, by, request.member, payee)}


@router.get("/payees")
async def get_payees(_: Reader, connection: Transaction, page: ThePage, member: str | None = None) -> dict[str, Any]:
    """List members' accounts at banks."""
    return listed("payees", PAYEE, await payees.listing(connection, page, member=member))


@router.post("/payees/{number}/end")
async def end_payee(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, Any]:
    """End a member's account at a bank: nothing more is paid to it."""
    return {"payee": number, "stopped_withdrawals": await payees.end(connection, by, number, request.reason)}


@router.post("/withdrawal-limits")
async def propose_limits(by: Operator, connection: Transaction, request: WithdrawalLimitRequest) -> dict[str, int]:
    """Propose limits of withdrawals; one of the staff who may settle approves them."""
    money = (parse_money(request.per_payment, "per_payment"), parse_money(request.per_day, "per_day"))
    limits = withdrawal_limits.Limits(*money, request.wait_hours)
    return {"proposal": await withdrawal_limits.propose(connection, by, limits, request.account)}


@router.get("/withdrawal-limits")
async def get_limits(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List all limits that were proposed; of the agreed ones of an account the newest holds."""
    return listed("limits", LIMIT, await withdrawal_limits.listing(connection, page))
