"""What custody costs."""

from typing import Any

from pydantic import Field

from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_money
from settlement.base import working_days
from settlement.charges import fees, tariff

router = new_router()


class Figure(Strict):
    name: str
    value: int = Field(description="in the figure's unit")
    from_day: str = Field(description="not yet begun", examples=["2026-12-01"])


@router.get("/tariff")
async def get_tariff(_: Reader, connection: Transaction, on: str | None = None) -> dict[str, Any]:
    """Every figure as it holds on a day, today by default."""
    day = working_days.today() if on is None else working_days.parse_day("on", on)
    figures = await tariff.on(connection, day)
    return {
        "on": day.isoformat(),
        "figures": [
            {"name": name, "value": value, "unit": tariff.FIGURES[name].unit, "source": tariff.FIGURES[name].source}
            for name, value in figures.items()
        ],
    }


@router.post("/tariff")
async def propose_figure(by: Clerk, connection: Transaction, figure: Figure) -> dict[str, int]:
    """Proposes a figure from a day on."""
    day = working_days.parse_day("from_day", figure.from_day)
    return {"proposal": await tariff.propose(connection, by, figure.name, figure.value, day)}


@router.post("/fees/accruals")
async def accrue(by: Clerk, connection: Transaction) -> dict[str, int]:  # noqa: ARG001
    """Accrues the fees of every day that is over and not accrued yet."""
    return {"fees": await fees.catch_up(connection)}


@router.get("/fees/accruals")
async def get_accruals(_: Reader, connection: Transaction, account: str, after: int = 0) -> dict[str, Any]:
    """What an account was charged, a thousand after accrual `after`; amounts in millionths of a fen."""
    names = ("accrual_no", "account", "symbol", "kind", "subject", "quantity", "rate", "amount_ufen", "bill_no")
    rows = await fees.accruals(connection, account, after)
    return {"accruals": [{"day": row.day.isoformat(), **{name: getattr(row, name) for name in names}} for row in rows]}


@router.post("/fees/bills")
async def propose_bills(by: Clerk, connection: Transaction) -> dict[str, int | None]:
    """Proposes bills of everything that is owed; `proposal` is null where nothing is."""
    return {"proposal": await fees.bill(connection, by)}


@router.get("/fees/bills")
async def get_bills(_: Reader, connection: Transaction, status: str | None = None) -> dict[str, Any]:
    """Bills, oldest first."""
    rows = await fees.bills(connection, status=status)
    return {
        "bills": [
            {
                **{name: getattr(row, name) for name in ("bill_no", "account", "status", "reason")},
                "amount": format_money(row.amount_fen),
            }
            for row in rows
        ]
    }
