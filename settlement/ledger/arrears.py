"""Arrears: an account that could not pay a bill can take out neither metal nor money until the bill is paid."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.base.refusal import Refused
from settlement.documents.charges import BILL_UNPAID
from settlement.tables.charges import fee_bill


async def check_none(connection: AsyncConnection, account: str) -> None:
    """Raise Refused (ARREAR) for an account that could not pay a bill, if that or its successor is unpaid."""
    unpaid = fee_bill.c.status.in_(BILL_UNPAID)
    query = select(fee_bill).where(fee_bill.c.account == account, fee_bill.c.arrear, unpaid)
    if (row := (await connection.execute(query)).first()) is not None:
        text = f"account {account} has not paid bill {row.bill_no} of {format_money(row.amount_fen)} CNY"
        raise Refused("ARREAR", text)
