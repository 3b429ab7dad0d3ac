"""The venue's bank accounts, and the statements that their banks send."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.listing import ThePage, listed
from api.settlement_routes.access import Clerk, Number, Reader, Strict, Transaction, new_router
from api.settlement_routes.access import File as FileBody
from api.settlement_routes.rows import Projection
from settlement.banking import accounts, files, imports, profiles
from settlement.banking.statements import Statement
from settlement.workbooks import sheets

router = new_router()

ACCOUNT = Projection("account_id account_number bank holder currency profile added_at added_by")
STATEMENT = Projection(
    "statement_no account_number kind format stated_id first_day last_day entries notes file_no taken_at taken_by",
    opening="opening_fen",
    closing="closing_fen",
)
TAKEN = Projection(
    "statement_no account format kind stated_id first_day last_day entries new known notes",
    opening="opening_fen",
    closing="closing_fen",
)
ITEM = Projection(
    "item_no statement_no place part line day value_day reversal bank_reference code reference name account "
    "virtual_account text",
    amount="amount_fen",
)


class BankAccountRequest(Strict):
    account_number: str = Field(examples=["3502 0000 1234 5678 901"])
    bank: str
    holder: str
    profile: str | None = Field(
        default=None, description="how tables of this bank are read: " + ", ".join(profiles.shipped())
    )


TheProfile = Annotated[str | None, Query(description="How a table is read; default: the account's profile")]
TheAccount = Annotated[str | None, Query(description="The account that a table is of, where it does not say so")]
TheSheet = Annotated[str | None, Query(description="The sheet, where a workbook has several")]


@router.post("/bank-accounts")
async def add_account(by: Clerk, connection: Transaction, request: BankAccountRequest) -> dict[str, int]:
    """Add a bank account of the venue."""
    return {"account_id": await accounts.add(connection, by, **request.model_dump())}


@router.get("/bank-accounts")
async def get_accounts(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the venue's bank accounts."""
    return listed("accounts", ACCOUNT, await accounts.listing(connection, page))


async def _read(
    connection: AsyncConnection, data: bytes, profile: str | None, account: str | None, sheet: str | None
) -> Sequence[Statement]:
    known = await accounts.profile(connection, account) if profile is None else profiles.find(profile)
    return await sheets.in_turn(lambda: files.read(data, known, account, sheet))


def _outcome(found: imports.Outcome) -> dict[str, Any]:
    return {"file": found.file_no, "statements": [TAKEN(taken) for taken in found.statements]}


@router.post("/bank-statements/preview")
async def preview_statements(
    _: Reader,
    connection: Transaction,
    file: FileBody,
    profile: TheProfile = None,
    account: TheAccount = None,
    sheet: TheSheet = None,
) -> dict[str, Any]:
    """Return what taking in a bank's file would bring: MT940, camt, or a table; changes nothing."""
    return _outcome(await imports.preview(connection, await _read(connection, file, profile, account, sheet)))


@router.post("/bank-statements")
async def take_statements(
    by: Clerk,
    connection: Transaction,
    file: FileBody,
    profile: TheProfile = None,
    account: TheAccount = None,
    sheet: TheSheet = None,
    name: str = "upload",
) -> dict[str, Any]:
    """Take in a bank's file: MT940, camt.053, .052, .054, or a table. What is known already changes nothing."""
    statements = await _read(connection, file, profile, account, sheet)
    return _outcome(await imports.take_in(connection, by, name, file, statements))


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


@router.get("/bank-entries")
async def get_entries(
    _: Reader, connection: Transaction, page: ThePage, statement: int | None = None
) -> dict[str, Any]:
    """List the payments in statements; those of a batch have one entry (``place``) and a ``part`` each."""
    return listed("payments", ITEM, await imports.items(connection, page, statement=statement))
