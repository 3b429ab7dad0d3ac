"""The metal of the simulated year: lots that come and go, some collected late, counts of the vault, and breaks."""

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Column, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.commands import HoldingAdjust
from goldx.protocol.units import CASH
from settlement.documents.load_outs import UNCOLLECTED
from settlement.intake.bar_rows import BarKey, Reading
from settlement.ledger import corrections
from settlement.load_outs import application, handing_over
from settlement.reconciliation import (
    break_work,
    breaks,
    count_results,
    count_sessions,
    counting,
    resolutions,
    statement_file,
    three_way,
    warehouse_statement,
)
from settlement.reconciliation.count_results import CountResult
from settlement.reports import bar_export
from settlement.tables.load_outs import load_out
from settlement.tables.reconciliation import recon_break
from settlement.workbooks import formats
from tests.settlement.small_exchange import CODE, COLLECTOR_ID, ONE, OTHER, THIRD, load_out_application
from tests.settlement.year.happenings import MEMBERS, Life

LOT_MG: Final = 99_900
"""Fine weight of a lot of 100 g."""
XM1: Final = "XM1"


async def _newest(connection: AsyncConnection, number: Column[int]) -> int:
    return int(await connection.scalar(select(func.max(number))) or 0)


async def _waits(connection: AsyncConnection, number: int) -> bool:
    """Return whether the metal of a load-out still waits for its collector."""
    status = await connection.scalar(select(load_out.c.status).where(load_out.c.load_out_no == number))
    return status in UNCOLLECTED


class Custody:
    """The vault, and the load-outs that wait for their collectors."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._lots = 0
        self._waiting: list[tuple[int, date]] = []
        """Sheets, and the day on which their collector comes."""

    async def take_in(self, count: int, grams: str = "100.00") -> None:
        """Take so many lots from arrival to receipts, for one member after the other."""
        rows = []
        for _ in range(count):
            self._lots += 1
            member = MEMBERS[self._lots % len(MEMBERS)]
            mark = {"serial": f"Y{self._lots}", "seal": f"S-{self._lots}"}
            rows.append({**mark, "account": f"{member}.H", "gross_g": grams, "weighed_g": grams})
        await self._life.exchange.issue(rows)
        self._life.done["lots in"] += count

    async def order_out(self, day: date) -> None:
        """Let a member that has most of it order one lot's weight out; its collector comes now or days later."""
        life = self._life
        held = {code: life.exchange.held(f"{code}.H", "AU") for code in MEMBERS}
        account = f"{max(held, key=lambda code: held[code])}.H"
        await life.approve([await life.do(application.apply, ONE, load_out_application(account, LOT_MG))])
        number = await life.do(_newest, load_out.c.load_out_no)
        # A window has some days, after which every day costs.
        self._waiting.append((number, day + timedelta(days=life.dice.choice((0, 1, 7, 12)))))

    async def hand_out(self, day: date) -> None:
        """Release the metal of the sheets whose collector comes today, unless they have expired meanwhile."""
        life = self._life
        for number in [number for number, when in self._waiting if when <= day]:
            if not await life.do(_waits, number):
                life.done["load-outs that expired"] += 1
                continue
            assert await life.do(handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
            await life.do(handing_over.release, OTHER, number)
            await life.catch_up()
            life.done["load-outs"] += 1
        self._waiting = [one for one in self._waiting if one[1] > day]

    async def count(self) -> None:
        """Let two people count a sample of the vault blind; at first they overlook a bar, and count it again."""
        life = self._life
        extent = count_sessions.CountExtent(sample=5, seed=f"Y{self._lots}")
        await life.approve([await life.do(count_sessions.propose, THIRD, XM1, (ONE, OTHER), "quarterly", extent)])
        number = int((await life.do(count_sessions.listing))[-1].count_no)
        expected = [BarKey(row.refiner, row.serial, row.year) for row in await life.do(count_sessions.lines, number)]
        overlooked = life.dice.choice(expected)
        for counter in (ONE, OTHER):
            seen = [CountResult(key) for key in expected if key != overlooked]
            await life.do(count_results.enter, counter, number, seen)
            await life.do(count_results.sign, counter, number)
        await life.do(counting.recount, THIRD, number)
        for counter in (ONE, OTHER):
            await life.do(count_results.enter, counter, number, [CountResult(overlooked)])
            await life.do(count_results.sign, counter, number)
        assert (await life.do(counting.close, THIRD, number)).breaks == ()
        life.done["counts"] += 1

    async def agrees(self, day: date) -> None:
        """Let two people take in the warehouse's own statement, which says what the register says."""
        data = await self._life.do(bar_export.count_list, XM1, "csv")
        for by in (ONE, OTHER):
            assert await self._taken_in(by, day, data) == ()

    async def misread(self, day: date) -> None:
        """Let the warehouse send a statement with a mistyped weight; a clerk asks, and the next one is right."""
        life = self._life
        rows = list(csv.reader(io.StringIO((await life.do(bar_export.count_list, XM1, "csv")).decode("utf-8-sig"))))
        column = rows[0].index("gross_g")
        wrong = life.dice.randrange(1, len(rows))
        rows[wrong][column] = "1" + rows[wrong][column]
        out = io.StringIO(newline="")
        csv.writer(out).writerows(rows)
        assert len(await self._taken_in(ONE, day, out.getvalue().encode())) == 1
        await self._work("the warehouse was asked to look again")
        life.done["breaks of the warehouse"] += 1

    async def _taken_in(self, by: str, day: date, data: bytes) -> Sequence[breaks.Break]:
        lines = statement_file.read(formats.parse(data), Reading())
        taken = await self._life.do(warehouse_statement.take_in, by, XM1, day, "statement.csv", data, lines)
        found: Sequence[breaks.Break] = taken.breaks
        return found

    async def stray(self, day: date) -> None:
        """Let the engine credit money that no document has asked for: which two people correct by an entry."""
        life = self._life
        fen = life.dice.randint(1, 10_000)
        await life.exchange.engine_runner.run(HoldingAdjust("A.H", CASH, fen, f"stray-{day}"))
        await life.post()
        assert len((await three_way.reconcile(life.exchange.engine, ONE)).breaks) == 1
        number = await self._work("nobody knows of a document")
        change = (corrections.propose, ONE, "A.H", None, fen, "credited without a document", f"STRAY-{day}")
        proposal = await life.do(*change)
        await life.approve([proposal])
        await life.do(resolutions.resolve, ONE, number, "correction", proposal, "the engine has it back")
        assert (await three_way.reconcile(life.exchange.engine, ONE)).breaks == ()
        life.done["breaks of the books"] += 1

    async def _work(self, note: str) -> int:
        """Give the newest break an owner and a note, and return its number."""
        number = int(await self._life.do(_newest, recon_break.c.break_id))
        await self._life.do(break_work.assign, ONE, number, OTHER, "it is theirs")
        await self._life.do(break_work.note, OTHER, number, note)
        return number
