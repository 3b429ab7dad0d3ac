"""Statements of account: made when a day is closed, confirmed by the member or accepted when nobody objects in time.

Each trading account with gold, money or movements gets one, and each member one that sums up its accounts. A member
confirms a statement or objects to it, by any of its keys; confirming the member's own confirms those of its accounts
of the day that are open. A statement counts as accepted when STATEMENT_DAYS working days are over after the trading day
or, if it was made later, after the day on which it was made. An objection is answered by a clerk; then the statement
waits again.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, bulk, working_days
from settlement.base.database import among, now_ms
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE, advance, allow, load
from settlement.base.texts import printable
from settlement.charges import tariff
from settlement.closing import day as days
from settlement.closing import statement_content, statement_sources, statement_trades
from settlement.closing.canonical import canonical, digest
from settlement.closing.day import Day, ended_at
from settlement.closing.differs import PaperDiffers
from settlement.closing.progress import ReportDone, silent
from settlement.closing.statement_trades import AccountTrades
from settlement.documents.statements import ACCOUNT_STATEMENT
from settlement.tables.closing import business_day
from settlement.tables.papers import account_statement

NAME: Final = "statements"
ACCOUNTS_AT_ONCE: Final = 500
"""The number of statements that are written at the same time."""
LONGEST_TEXT: Final = 500
_SATURDAY: Final = 5


Listed: TypeAlias = Page[Row[Any]]


class AccountStatement(NamedTuple):
    """A statement as it is kept; ``account`` is None for that of a member as a whole."""

    number: int
    day: date
    member: str
    account: str | None
    text: str
    hash: bytes
    status: str

    @property
    def content(self) -> dict[str, Any]:
        """Return the statement's content."""
        found: dict[str, Any] = msgspec.json.decode(self.text)
        return found


async def work(connection: AsyncConnection, day: Day, report_done: ReportDone = silent) -> bytes:
    """Make the statements of a day, a step of its close; return who got one, each with its SHA-256, as JSON.

    Repeated, it makes those that are missing, and changes none. Raises PaperDiffers where figures do not agree,
    with the statement of the day before, with the ledger, or with a statement of this day that was made before.
    """
    found = await statement_sources.read(connection, day, await ended_at(connection, day.last))
    made = await _texts(connection, day)
    traded = await statement_trades.sums(connection, day)
    by_member: dict[str, list[dict[str, Any]]] = {}
    hashes: dict[str, str] = {}
    due = await due_day(connection, max(day.day, working_days.today()))
    issued: list[tuple[str, str, str]] = []
    for accounts in statement_trades.parts(found.active, traded, ACCOUNTS_AT_ONCE):
        trades = await statement_trades.listed(connection, day, accounts)
        before = await _before(connection, day, accounts)
        texts = {}
        for account in accounts:
            of_account = traded.get(account, AccountTrades())
            content = statement_content.of_account(found, account, of_account)
            statement_content.check_follows(before.get(account), content)
            texts[content["member"], account] = statement_content.written(content, trades.get(account, ""))
            hashes[account] = digest(texts[content["member"], account])
            by_member.setdefault(content["member"], []).append({**content, "trades": of_account.trades})
        issued += await _write(connection, day, due, texts, made)
        await report_done(len(issued), len(found.active))
    texts = {
        (member, ""): canonical(statement_content.of_member(found, contents, hashes))
        for member, contents in sorted(by_member.items())
    }
    issued += await _write(connection, day, due, texts, made)
    _check_none_left(day, made, issued)
    if missing := len(issued) - len(made):
        # The audit log is written last: its lock holds up all other acts until the transaction ends.
        act = audit.Act(SERVICE, "account_statement.issue", f"day:{day.day}", {"statements": missing})
        await audit.record(connection, act)
    return canonical({"day": day.day.isoformat(), "statements": sorted(issued)})


async def _texts(connection: AsyncConnection, day: Day) -> dict[tuple[str, str], bytes]:
    """Return the hashes of the day's statements that there are, by member and account."""
    columns = account_statement.c
    query = select(columns.member, columns.account, columns.hash).where(columns.day == day.day)
    return {(row.member, row.account or ""): row.hash for row in await connection.execute(query)}


async def _before(connection: AsyncConnection, day: Day, accounts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the newest earlier statement of each account, without its trades, which are the last of its keys.

    Most accounts have one of the day before, so that the others are not looked through.
    """
    columns = account_statement.c
    previous = await days.before(connection, day)
    found: dict[str, dict[str, Any]] = {}
    if previous is not None:
        found = await _contents(connection, (columns.day == previous.day) & among(columns.account, accounts))
    left = [account for account in accounts if account not in found]
    if left:
        newest = select(columns.statement_no).ext(distinct_on(columns.account))
        newest = newest.join(business_day, business_day.c.day == columns.day)
        newest = newest.where(business_day.c.last_sequence < day.first, among(columns.account, left))
        newest = newest.order_by(columns.account, business_day.c.last_sequence.desc())
        found |= await _contents(connection, columns.statement_no.in_(newest))
    return found


async def _contents(connection: AsyncConnection, wanted: ColumnElement[bool]) -> dict[str, dict[str, Any]]:
    """Return statements of accounts without their trades."""
    # Inside a string of JSON a quotation mark has a backslash before it.
    content = func.split_part(account_statement.c.content, ',"trades":[', 1).concat("}").label("content")
    rows = await connection.execute(select(account_statement.c.account, content).where(wanted))
    return {row.account: msgspec.json.decode(row.content) for row in rows}


async def _write(
    connection: AsyncConnection,
    day: Day,
    due: date,
    texts: Mapping[tuple[str, str], bytes],
    made: Mapping[tuple[str, str], bytes],
) -> list[tuple[str, str, str]]:
    """Write the statements that are missing; return member, account and SHA-256 of each."""
    rows, issued = [], []
    for (member, account), text in texts.items():
        found = digest(text)
        issued.append((member, account, found))
        if (kept := made.get((member, account))) is None:
            about = {"day": day.day, "member": member, "account": account or None, "due_day": due}
            rows.append(
                {
                    **about,
                    "content": text.decode(),
                    "hash": bytes.fromhex(found),
                    "status": ACCOUNT_STATEMENT.steps["issue"].after,
                    "issued_at": now_ms(),
                }
            )
        elif kept.hex() != found:
            name = account or member
            raise PaperDiffers(f"{day.day}: the statement of {name} was {kept.hex()}, and is now {found}")
    if rows:
        await bulk.insert(connection, account_statement, rows)
    return issued


def _check_none_left(day: Day, made: Mapping[tuple[str, str], bytes], issued: Sequence[tuple[str, str, str]]) -> None:
    if left := made.keys() - {(member, account) for member, account, _ in issued}:
        names = ", ".join(account or member for member, account in sorted(left))
        raise PaperDiffers(f"{day.day}: there are statements of {names}, which had nothing that day")


async def due_day(connection: AsyncConnection, day: date) -> date:
    """Return the last day on which a member can object to a statement that it got on ``day``.

    In a year whose holidays are not entered every Monday to Friday counts.
    """
    days = (await tariff.on(connection, day))["STATEMENT_DAYS"]
    while days:
        day += timedelta(days=1)
        try:
            days -= await working_days.is_working(connection, day)
        except Refused:
            days -= day.weekday() < _SATURDAY
    return day


async def find(connection: AsyncConnection, number: int, member: str | None = None) -> AccountStatement:
    """Return a statement; for a ``member``, one of its own. Raises BadValue for any other number."""
    columns = account_statement.c
    shown = (columns.day, columns.member, columns.account, columns.content, columns.hash, columns.status)
    query = select(columns.statement_no, *shown).where(columns.statement_no == number)
    row = (await connection.execute(query)).first()
    if row is None or member not in (None, row.member):
        raise BadValue("statement", number, "the number of a statement of account")
    return AccountStatement(*row)


async def listing(
    connection: AsyncConnection,
    page: PageRequest = ALL,
    *,
    member: str | None = None,
    account: str | None = None,
    day: date | None = None,
    status: str | None = None,
) -> Listed:
    """Return statements without their content, oldest first.

    Raises BadValue for a member, account or status that is not known.
    """
    await check_known(connection, member=member, account=account)
    if status is not None and status not in ACCOUNT_STATEMENT.states:
        raise BadValue("status", status, "one of " + ", ".join(ACCOUNT_STATEMENT.states))
    query = select(*(column for column in account_statement.c if column.name != "content"))
    wanted = {"member": member, "account": account, "day": day, "status": status}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(account_statement.c[name] == value)
    return await fetch(connection, query, (account_statement.c.statement_no,), page)


async def confirm(connection: AsyncConnection, member: str, key_id: str, number: int) -> list[int]:
    """Confirm a statement in the name of its member; return the numbers that are confirmed by it.

    The member's own confirms those of its accounts of the day that are open, too. Raises BadValue for a statement of
    another member, Refused (ILLEGAL_STEP) for one that is not open.
    """
    row = await _step_of_member(connection, member, "confirm", number)
    numbers = [number]
    if row.account is None:
        columns = account_statement.c
        same = select(columns.statement_no).where(columns.day == row.day, columns.member == member)
        same = same.where(columns.status.in_(ACCOUNT_STATEMENT.before("confirm")), columns.statement_no != number)
        numbers += await connection.scalars(same.order_by(columns.statement_no))
    await _accept(connection, "confirm", member, numbers, {"key": key_id})
    return numbers


async def object_to(connection: AsyncConnection, member: str, key_id: str, number: int, objection: str) -> None:
    """Object to a statement in the name of its member. Raises as ``confirm``, and BadValue for the text."""
    printable("objection", objection, LONGEST_TEXT)
    await _step_of_member(connection, member, "object", number)
    values = {"status": ACCOUNT_STATEMENT.steps["object"].after, "objection": objection}
    changing = update(account_statement).where(account_statement.c.statement_no == number)
    await connection.execute(changing.values(values))
    detail = {"key": key_id, "objection": objection}
    act = audit.Act(member, "account_statement.object", f"account_statement:{number}", detail)
    await audit.record(connection, act)


async def answer(connection: AsyncConnection, by: str, number: int, text: str) -> date:
    """Answer an objection: the statement waits again; return the day until which it does. Raises as ``advance``."""
    printable("answer", text, LONGEST_TEXT)
    await audit.lock(connection)
    due = await due_day(connection, working_days.today())
    await advance(connection, account_statement, ACCOUNT_STATEMENT, by, "answer", [number], {"answer": text})
    waiting = update(account_statement).where(account_statement.c.statement_no == number)
    await connection.execute(waiting.values(due_day=due))
    return due


async def accept_due(connection: AsyncConnection, today: date) -> int:
    """Accept the statements to which nobody objected in time, and return how many; the service does it once a day."""
    await audit.lock(connection)
    columns = account_statement.c
    late = select(columns.statement_no).where(
        columns.status.in_(ACCOUNT_STATEMENT.before("accept")), columns.due_day < today
    )
    numbers = list(await connection.scalars(late.order_by(columns.statement_no)))
    await _accept(connection, "accept", SERVICE, numbers, None)
    return len(numbers)


async def _step_of_member(connection: AsyncConnection, member: str, name: str, number: int) -> Row[Any]:
    """Return a statement if its member may take a step now, and lock it."""
    await audit.lock(connection)
    await find(connection, number, member)
    row = (await load(connection, account_statement, ACCOUNT_STATEMENT, [number]))[number]
    allow(ACCOUNT_STATEMENT, name, number, row.status)
    return row


async def _accept(connection: AsyncConnection, name: str, by: str, numbers: Sequence[int], detail: object) -> None:
    """Confirm or accept statements, and record who did it and when."""
    if not numbers:
        return
    values = {"status": ACCOUNT_STATEMENT.steps[name].after, "accepted_by": by, "accepted_at": now_ms()}
    await connection.execute(
        update(account_statement).where(among(account_statement.c.statement_no, numbers)).values(values)
    )
    acts = [audit.Act(by, f"account_statement.{name}", f"account_statement:{n}", detail) for n in numbers]
    await audit.record_all(connection, acts)
