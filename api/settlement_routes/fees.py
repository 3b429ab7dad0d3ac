"""What custody costs."""

from typing import Any

from pydantic import Field

from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from settlement import tariff, working_days

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
