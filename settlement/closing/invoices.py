"""Invoices of the venue's fees: made when a day is closed, numbered without gaps.

A member gets one for each trading day, or for each month with the close of its last trading day, of all trading fees
and all bills of fees that were paid since its last one. A member that owes nothing gets none. How the tax
in each fee is found, ``settlement.closing.invoice_lines`` says.

An invoice is never changed; red invoices correct it (``settlement.closing.red_invoices``).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import BigInteger, Label, Row, case, cast, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import SERVICE
from settlement.charges import tariff
from settlement.charges.accruals import VENUE
from settlement.closing import invoice_lines, tax_profiles
from settlement.closing.canonical import canonical, digest
from settlement.closing.day import Day
from settlement.closing.differs import PaperDiffers
from settlement.closing.tax_profiles import Buyer
from settlement.documents.statements import INVOICE, ISSUED
from settlement.tables.base import trading_day
from settlement.tables.papers import invoice

NAME: Final = "invoices"
FORMAT: Final = 1
Listed: TypeAlias = Page[Row[Any]]


class Invoice(NamedTuple):
    """An invoice as it is kept."""

    number: int
    day: date
    member: str
    text: str
    hash: bytes
    status: str

    @property
    def content(self) -> dict[str, Any]:
        """Return the invoice's content."""
        found: dict[str, Any] = msgspec.json.decode(self.text)
        return found


async def work(connection: AsyncConnection, day: Day) -> bytes:
    """Make the invoices of a day, a step of its close; return number, member and SHA-256 of each, as JSON.

    The corrections that were made on the day are named beside them, with the number of what they correct. Repeated, it
    makes none again. Raises PaperDiffers if one was made before with other figures.
    """
    buyers = await tax_profiles.on(connection, day.day)
    seller = await tax_profiles.seller(connection, day.day)
    more = {} if seller is None else {"seller": seller}
    made = await _originals(connection, day)
    members = {code: 1 for code, buyer in buyers.items() if code != VENUE}
    if not await _ends_month(connection, day):
        members = {code: 1 for code in members if buyers[code].period == "DAY"}
    members |= await _starts(connection, day, members)
    lines = await invoice_lines.of_range(connection, members, day.last, await tariff.on(connection, day.day))
    issued: list[tuple[int, str, str]] = []
    if lines.keys() - made.keys():
        # Nothing else takes a number until this transaction ends.
        await audit.lock(connection)
    for code in sorted(lines):
        known = made.get(code)
        number = await next_number(connection) if known is None else known.invoice_no
        content = content_of(number, day.day, code, buyers[code], (members[code], day.last), lines[code], **more)
        hashed = digest(canonical(content))
        if known is None:
            await write(connection, content)
        elif known.hash.hex() != hashed:
            raise PaperDiffers(f"{day.day}: invoice {number} was {known.hash.hex()}, and is now {hashed}")
        issued.append((number, code, hashed))
    if left := made.keys() - lines.keys():
        raise PaperDiffers(f"{day.day}: there are invoices for {', '.join(sorted(left))}, which owed nothing")
    # The act with which a step begins has waited for the corrections that were being approved; later ones are of the
    # next day.
    rows = await corrections_of(connection, day.day)
    made_of_day = [(row.invoice_no, row.corrects, row.replaces, row.member, row.hash.hex()) for row in rows]
    corrected = {"corrections": made_of_day} if made_of_day else {}
    return canonical({"day": day.day.isoformat(), "invoices": issued, **corrected})


async def corrections_of(connection: AsyncConnection, day: date) -> Sequence[Row[Any]]:
    """Return the red invoices of a trading day, and those that take the place of others, by number."""
    columns = invoice.c
    query = select(invoice).where(columns.day == day, columns.corrects.is_not(None) | columns.replaces.is_not(None))
    return (await connection.execute(query.order_by(columns.invoice_no))).all()


async def _originals(connection: AsyncConnection, day: Day) -> dict[str, Row[Any]]:
    """Return by member the invoices that the close of a day has made."""
    query = select(invoice).where(invoice.c.day == day.day, invoice.c.corrects.is_(None), invoice.c.replaces.is_(None))
    return {row.member: row for row in await connection.execute(query)}


async def _ends_month(connection: AsyncConnection, day: Day) -> bool:
    """Return whether the next trading day is in another month."""
    following = await connection.scalar(select(trading_day.c.day).where(trading_day.c.sequence == day.last))
    return following is not None and (following.year, following.month) != (day.day.year, day.day.month)


async def _starts(connection: AsyncConnection, day: Day, members: Mapping[str, int]) -> dict[str, int]:
    """Return the event after those that a member's earlier invoices are about, for each that has any."""
    columns = invoice.c
    query = select(columns.member, func.max(columns.last_sequence).label("last")).where(
        columns.last_sequence < day.last
    )
    query = query.where(columns.corrects.is_(None), columns.replaces.is_(None)).group_by(columns.member)
    return {row.member: row.last + 1 for row in await connection.execute(query) if row.member in members}


async def next_number(connection: AsyncConnection) -> int:
    """Return the next number; the caller holds ``audit.lock``, so that numbers have no gaps."""
    return int(await connection.scalar(select(func.coalesce(func.max(invoice.c.invoice_no), 0) + 1)) or 1)


def content_of(
    number: int,
    day: date,
    member: str,
    buyer: Buyer,
    events: tuple[int, int],
    lines: Sequence[Mapping[str, Any]],
    **more: Any,
) -> dict[str, Any]:
    """Return the content of an invoice; ``events`` are the first and the last that its fees are of."""
    sums = {name: sum(line[name] for line in lines) for name in ("net_fen", "tax_fen", "amount_fen")}
    return {
        "format": FORMAT,
        "paper": "invoice",
        "invoice": number,
        "day": day.isoformat(),
        "member": member,
        "title": buyer.title,
        "tax_number": buyer.tax_number,
        "kind": buyer.kind,
        "first_sequence": events[0],
        "last_sequence": events[1],
        "lines": list(lines),
        **sums,
        **more,
    }


async def write(connection: AsyncConnection, content: Mapping[str, Any], **columns: Any) -> int:
    """Write an invoice and return its number. A red one has further ``columns``: its status, its reason, its people."""
    made = canonical(content)
    same = ("member", "kind", "first_sequence", "last_sequence", "net_fen", "tax_fen")
    values = {
        **{name: content[name] for name in same},
        "invoice_no": content["invoice"],
        "day": date.fromisoformat(content["day"]),
        "total_fen": content["amount_fen"],
        "content": made.decode(),
        "hash": bytes.fromhex(digest(made)),
        "status": ISSUED,
        "corrects": content.get("corrects"),
        "replaces": content.get("replaces"),
        "made_at": now_ms(),
        **columns,
    }
    await connection.execute(insert(invoice).values(values))
    act = "invoice.cancel_out" if "corrects" in content else "invoice.issue"
    detail = {"total_fen": content["amount_fen"], "sha256": digest(made)}
    await audit.record(connection, audit.Act(SERVICE, act, f"invoice:{content['invoice']}", detail))
    return int(content["invoice"])


def _remaining() -> Label[int | None]:
    red = invoice.alias("red")
    taken = select(func.coalesce(func.sum(red.c.total_fen), 0)).where(red.c.corrects == invoice.c.invoice_no)
    left = invoice.c.total_fen + cast(taken.scalar_subquery(), BigInteger)
    return case((invoice.c.corrects.is_(None), left)).label("remaining_fen")


async def find(connection: AsyncConnection, number: int, member: str | None = None) -> Invoice:
    """Return an invoice; for a ``member``, one of its own. Raises BadValue for any other number."""
    columns = invoice.c
    query = select(columns.invoice_no, columns.day, columns.member, columns.content, columns.hash, columns.status)
    row = (await connection.execute(query.where(columns.invoice_no == number))).first()
    if row is None or member not in (None, row.member):
        raise BadValue("invoice", number, "the number of an invoice")
    return Invoice(*row)


async def listing(
    connection: AsyncConnection, page: PageRequest = ALL, *, member: str | None = None, status: str | None = None
) -> Listed:
    """Return invoices without their content, by number, with what is left of each in fen; of a red one, None.

    Raises BadValue for an unknown member or status.
    """
    await check_known(connection, member=member)
    if status is not None and status not in INVOICE.states:
        raise BadValue("status", status, "one of " + ", ".join(INVOICE.states))
    query = select(*(column for column in invoice.c if column.name != "content"), _remaining())
    for name, value in (("member", member), ("status", status)):
        if value is not None:
            query = query.where(invoice.c[name] == value)
    return await fetch(connection, query, (invoice.c.invoice_no,), page)
