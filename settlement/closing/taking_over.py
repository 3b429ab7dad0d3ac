"""The taking over of differences between engine and ledger at a day's end, so that the day can be closed.

What engine and ledger had at the end of a day never changes, so no correction clears a difference there. A clerk
proposes to take differences over into the next day: with a reason, an owner, and account, asset and both figures of
each, as they were seen. Somebody else, who operates the market, approves as risk. From then on each is a break
(``settlement.reconciliation.day_end``), and the day's close names it and goes on. Another figure or another account is
another difference, which stops the close as before.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_amount, parse_amount
from settlement.base import audit, proposals
from settlement.base.paging import ALL, SEPARATOR, Page, PageRequest, cut_in_order, parse_parts
from settlement.base.refusal import Refused
from settlement.base.steps import advance, authorize, load
from settlement.base.texts import printable
from settlement.closing import books, close, signing
from settlement.closing.day import Day
from settlement.documents.closing import DAY_DIFFERENCE, DIFFERENCE_DECLINED, DONE
from settlement.reconciliation import break_work, day_end
from settlement.reconciliation.holdings import HoldingDifference
from settlement.tables.closing import day_difference

LONGEST_REASON: Final = 200
_KIND: Final = DAY_DIFFERENCE.kind


class Seen(NamedTuple):
    """A difference at the end of a day, and what became of it.

    ``number`` and ``status`` are those of its taking over, None where nobody has proposed that; ``break_id`` is the
    break that it is once it was approved.
    """

    difference: HoldingDifference
    number: int | None = None
    status: str | None = None
    break_id: int | None = None

    def shown(self) -> dict[str, object]:
        """Return it with its figures as people read them, in CNY or fine grams."""
        about = {"number": self.number, "status": self.status, "break": self.break_id}
        return {**_written(self.difference), **about}


def seen(account: str, asset: str, engine: str, ledger: str) -> HoldingDifference:
    """Return a difference that somebody has written down, in CNY or fine grams. Raises BadValue."""
    return HoldingDifference(
        account, asset, parse_amount(ledger, asset, "ledger"), parse_amount(engine, asset, "engine")
    )


async def listing(connection: AsyncConnection, day: date, page: PageRequest = ALL) -> Page[Seen]:
    """Return the differences at the end of a day that is closed or being closed, by account and asset.

    Raises BadValue for any other day.
    """
    row = await signing.find(connection, day)
    columns = day_difference.c
    query = select(day_difference).where(columns.day == day, columns.status != DIFFERENCE_DECLINED)
    known = {
        HoldingDifference(one.account, one.asset, one.ledger, one.engine): one
        for one in await connection.execute(query)
    }
    found = []
    for each in await books.at_end(connection, Day(day, row.first_sequence, row.last_sequence)):
        one = known.get(each)
        found.append(Seen(each) if one is None else Seen(each, one.difference_no, one.status, one.break_id))
    return cut_in_order(found, _key, lambda key: parse_parts(key, 2), page)


def _key(one: Seen) -> str:
    return SEPARATOR.join((one.difference.account, one.difference.asset))


async def propose(
    connection: AsyncConnection, by: str, day: date, seen: Sequence[HoldingDifference], owner: str, reason: str
) -> int:
    """Propose to take differences over, each as it was seen, and return the proposal's number.

    Raises BadValue for a day that is not being closed, an owner who is none of the staff, and a difference that the end
    of the day does not have; Refused: ILLEGAL_STEP where the step ``books`` is done, PROPOSED_ALREADY.
    """
    printable("reason", reason.strip(), LONGEST_REASON)
    if not seen:
        raise BadValue("differences", "none", "at least one, as `goldx day difference list` shows them")
    if len({(each.account, each.asset) for each in seen}) < len(seen):
        raise BadValue("differences", "an account and asset twice", "each of them once")
    await break_work.check_staff(connection, owner)
    await audit.lock(connection)
    await authorize(connection, DAY_DIFFERENCE, "propose", by, [])
    await _check(connection, day, seen)
    columns = day_difference.c
    there = select(columns.account, columns.asset, columns.difference_no, columns.status)
    there = there.where(columns.day == day, columns.status != DIFFERENCE_DECLINED)
    known = {(row.account, row.asset): row for row in await connection.execute(there)}
    for each in seen:
        if (row := known.get((each.account, each.asset))) is not None:
            text = f"the difference of {each.account} in {each.asset} at the end of {day} is {row.status} already"
            raise Refused("PROPOSED_ALREADY", f"{text}, as day difference {row.difference_no}")
    about = {"day": day, "owner": owner, "reason": reason.strip(), "status": DAY_DIFFERENCE.steps["propose"].after}
    made = insert(day_difference).returning(columns.difference_no, sort_by_parameter_order=True)
    rows = [{**each._asdict(), **about} for each in seen]
    numbers = [int(number) for number in (await connection.execute(made, rows)).scalars()]
    summary = {
        "day": day.isoformat(),
        "owner": owner,
        "reason": reason.strip(),
        "differences": [_written(each) for each in seen],
    }
    return await proposals.propose(connection, by, _KIND, numbers, summary)


def _written(each: HoldingDifference) -> dict[str, str]:
    figures = {"engine": format_amount(each.engine, each.asset), "ledger": format_amount(each.ledger, each.asset)}
    return {"account": each.account, "asset": each.asset, **figures}


async def _check(connection: AsyncConnection, day: date, seen: Sequence[HoldingDifference]) -> None:
    """Raise BadValue unless the end of a day that stands at its first step has each of these differences."""
    row = await signing.find(connection, day)
    if books.NAME in {step.step for step in await close.steps_of(connection, day) if step.status == DONE}:
        raise Refused("ILLEGAL_STEP", f"{day}: its step {books.NAME} is done; nothing is left to be taken over")
    there = await books.at_end(connection, Day(day, row.first_sequence, row.last_sequence))
    for each in seen:
        if each not in there:
            same = [one for one in there if (one.account, one.asset) == (each.account, each.asset)]
            what = str(same[0]) if same else f"{each.account} has no difference in {each.asset}"
            raise BadValue("difference", str(each), f"a difference at the end of {day}, where {what}")


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Take the differences over: each becomes a break. Raises BadValue if one of them is another one by now."""
    rows = (await load(connection, day_difference, DAY_DIFFERENCE, subjects)).values()
    day, owner, reason = next((row.day, row.owner, row.reason) for row in rows)
    seen = [HoldingDifference(row.account, row.asset, row.ledger, row.engine) for row in rows]
    await _check(connection, day, seen)
    ended = await signing.find(connection, day)
    found = await day_end.open_breaks(connection, by, day, ended.last_sequence, seen, owner, reason)
    for row, each in zip(rows, seen, strict=True):
        values = {"break_id": found[each.account, each.asset]}
        await advance(connection, day_difference, DAY_DIFFERENCE, by, "approve", [row.difference_no], values)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Decline to take the differences over, which may be proposed again."""
    await advance(connection, day_difference, DAY_DIFFERENCE, by, "decline", subjects)
