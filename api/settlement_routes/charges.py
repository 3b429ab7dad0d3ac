"""The tariff, and the fees of custody: accrued and billed."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from api.settlement_routes.rows import Projection
from settlement.base.working_days import parse_day, today
from settlement.charges import accruals, bills, tariff

router = new_router()

FIGURE = Projection("name value unit source")
ACCRUAL = Projection("accrual_no day account symbol kind subject quantity rate amount_ufen bill_no")
BILL = Projection("bill_no account status reason", amount="amount_fen")


class TariffRequest(Strict):
    name: str
    value: int = Field(description="in the figure's unit")
    from_day: str = Field(description="not yet begun", examples=["2026-12-01"])


@router.get("/tariff")
async def get_tariff(
    _: Reader,
    connection: Transaction,
    page: ThePage,
    on: Annotated[str | None, Query(description="Default: today", examples=["2026-11-24"])] = None,
) -> dict[str, Any]:
    """List every figure as it holds on a day."""
    day = today() if on is None else parse_day("on", on)
    return listed("figures", FIGURE, await tariff.listing(connection, day, page), on=day)


@router.post("/tariff")
async def propose_figure(by: Clerk, connection: Transaction, request: TariffRequest) -> dict[str, int]:
    """Propose a figure from a day on."""
    day = parse_day("from_day", request.from_day)
    return {"proposal": await tariff.propose(connection, by, request.name, request.value, day)}


@router.post("/fees/accruals")
async def accrue(by: Clerk, connection: Transaction) -> dict[str, int]:  # noqa: ARG001
    """Accrue the fees of every day that is over and not accrued yet."""
    return {"fees": await accruals.catch_up(connection)}


@router.get("/fees/accruals")
async def get_accruals(_: Reader, connection: Transaction, page: ThePage, account: str) -> dict[str, Any]:
    """List the fees that an account was charged, oldest first; amounts in millionths of a fen."""
    return listed("accruals", ACCRUAL, await accruals.listing(connection, account, page))


@router.post("/fees/bills")
async def propose_bills(by: Clerk, connection: Transaction) -> dict[str, int | None]:
    """Propose bills of everything that is owed; `proposal` is null where nothing is."""
    return {"proposal": await bills.propose(connection, by)}


@router.get("/fees/bills")
async def get_bills(_: Reader, connection: Transaction, page: ThePage, status: str | None = None) -> dict[str, Any]:
    """List bills, oldest first."""
    return listed("bills", BILL, await bills.listing(connection, page, status=status))
