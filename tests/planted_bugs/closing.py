"""Bugs in the close of trading days: ranges, balances, prices, fees, signatures, records."""

from tests.planted_bugs.bug import Bug

DAY = "closing/day.py"
PRICES = "closing/prices.py"
FEES = "closing/fees.py"
SIGNING = "closing/signing.py"
RECORDS = "closing/records.py"
OPENING = "closing/opening.py"
SERVICE_OPENING = "service/day_opening.py"
ARCHIVE = "closing/archive.py"
STAMPS = "closing/time_stamps.py"

CLOSE = "closing/close.py"

BOOKS = "closing/books.py"
TAKING_OVER = "closing/taking_over.py"
TAKEN_OVER = "closing/taken_over.py"
BENCHMARKS = "closing/benchmark_prices.py"

BUGS = (
    Bug(
        "an annulled trade has a part in a benchmark",
        BENCHMARKS,
        "day.last), standing())",
        "day.last))",
    ),
    Bug(
        "trades of the days before have a part in a benchmark",
        BENCHMARKS,
        "columns.sequence.between(day.first, day.last)",
        "columns.sequence <= day.last",
    ),
    Bug(
        "just the minimum makes no benchmark",
        BENCHMARKS,
        "traded.quantity_mg >= minimum_mg",
        "traded.quantity_mg > minimum_mg",
    ),
    Bug(
        "an auction's trades count as those of the book",
        BENCHMARKS,
        "_AUCTION if row.uncrossed else _BOOK",
        "_BOOK",
    ),
    Bug(
        "a benchmark is that of a later day",
        BENCHMARKS,
        "where(columns.day == previous.day, columns.price",
        "where(columns.price",
    ),
    Bug(
        "classes of another form have a part in a benchmark",
        BENCHMARKS,
        "by_form[forms[part.symbol]].append(part)",
        "by_form[min(forms.values())].append(part)",
    ),
    Bug(
        "an archived file with other bytes is as it was written",
        "closing/archive.py",
        "if bytes.fromhex(digest(data)) != row.sha256:",
        "if not data:",
    ),
    Bug(
        "what a person has proposed waits for that person",
        "service/waiting.py",
        "columns.status == PROPOSED, columns.proposed_by != by)",
        "columns.status == PROPOSED)",
    ),
    Bug(
        "a clerk is asked to decide what risk decides",
        "service/waiting.py",
        "if kind.permission in held:",
        "if CLERK in held:",
    ),
    Bug(
        "somebody who has signed a day may sign it again",
        "service/waiting.py",
        "    if by in given.values():\n        return found\n",
        "",
    ),
    Bug(
        "a filter that nobody knows finds nothing",
        "base/filters.py",
        "        if value is None:\n",
        "        if True:\n",
    ),
    Bug("any difference is covered by one that was seen", BOOKS, "if each not in seen]", "if not seen]"),
    Bug(
        "any amount corrects a difference at a day's end",
        "reconciliation/resolutions.py",
        "    if moved != difference:\n",
        "    if moved == 0:\n",
    ),
    Bug(
        "what takes back gold without a document corrects a difference at a day's end",
        "reconciliation/resolutions.py",
        "    if None in (entry.from_account, entry.to_account) or",
        "    if",
    ),
    Bug(
        "a run ends a break of a day's end that was resolved after it had read",
        "reconciliation/day_end.py",
        "if row.break_id not in early]",
        "if row.break_id not in {}]",
    ),
    Bug("a difference is taken over that nobody has seen", TAKING_OVER, "if each not in there:", "if not there:"),
    Bug(
        "a proposed taking over counts",
        TAKEN_OVER,
        "columns.status == TAKEN_OVER",
        'columns.status.in_((TAKEN_OVER, "PROPOSED"))',
    ),
    Bug(
        "figures that have changed are approved",
        TAKING_OVER,
        "    await _check(connection, day, seen)\n    ended =",
        "    ended =",
    ),
    Bug(
        "a difference of a day's end is written off while it is there",
        "reconciliation/resolutions.py",
        "row.kind == DAY_END and await day_end.agree_now(connection, row.account, row.asset)",
        "row.kind == DAY_END",
    ),
    Bug(
        "a run ends what nobody has corrected",
        "reconciliation/day_end.py",
        "columns.status == _RESOLVED)",
        "columns.status != CORRECTED)",
    ),
    Bug(
        "a run ends a break of a day's end that is there still",
        "reconciliation/day_end.py",
        "if (row.account, row.asset) not in differ]",
        "]",
    ),
    Bug(
        "a break of a day's end lets the next day open",
        "reconciliation/break_areas.py",
        "    if scope == DAY_END_SCOPE:\n        return ENGINE\n",
        "",
    ),
    Bug(
        "a difference that was written off covers the next one",
        "reconciliation/day_end.py",
        "await connection.execute(over.where(these).values(status=CORRECTED))",
        "",
    ),
    Bug("what is taken over is not in the bulletin", "closing/bulletin.py", "where(or_(then, taken))", "where(then)"),
    Bug(
        "a step begins by no act",
        CLOSE,
        'audit.Act(by, "day.step", _subject(day), {"step": step.name, "is": RUNNING})',
        "",
    ),
    Bug(
        "two signatures make a record",
        RECORDS,
        "CAPACITIES.keys() - {signature.capacity for signature in signatures}",
        "CAPACITIES.keys() & {len(signature.capacity) for signature in signatures}",
    ),
    Bug("a close begins by no act", CLOSE, 'audit.Act(by, "day.begin", _subject(day), detail)', ""),
    Bug(
        "the next day begins with the event that ended the day",
        DAY,
        "row.day, row.sequence + 1",
        "row.day, row.sequence",
    ),
    Bug("a date that comes again begins a day", DAY, "if row.day in seen:", "if False:"),
    Bug(
        "the posting at the end belongs to the next day",
        DAY,
        "posting.c.sequence <= sequence)",
        "posting.c.sequence < sequence)",
    ),
    Bug(
        "postings are counted beside the balance that has them",
        DAY,
        "posting.c.sequence > kept, posting.c.sequence <= sequence",
        "posting.c.sequence > 0, posting.c.sequence <= sequence",
    ),
    Bug(
        "an own stock at an end is the newest one",
        DAY,
        "kept.symbol == here.symbol, kept.sequence <= sequence",
        "kept.symbol == here.symbol, kept.sequence <= sequence + 1_000_000",
    ),
    Bug("averages are rounded down", PRICES, "* MG_PER_GRAM + self.quantity_mg)", "* MG_PER_GRAM)"),
    Bug("any quantity makes the window", PRICES, "window.trades and window.quantity_mg >= minimum_mg", "window.trades"),
    Bug("the closing auction is not looked for", PRICES, "if end.auction is not None:", "if False:"),
    Bug(
        "days between two trading days cost what is held after them",
        FEES,
        "ends[day.last if name == known.last else day.first - 1]",
        "ends[day.last]",
    ),
    Bug("own stock that was sold is charged again each day", FEES, "mg - known.charged.get(key, 0)", "mg"),
    Bug(
        "calendar days that have not begun are accrued",
        FEES,
        "min(day.day, working_days.day_of(await days.ended_at(connection, day.last)))",
        "day.day",
    ),
    Bug("one person may sign twice", SIGNING, "if other.signed_by == by:", "if False:"),
    Bug(
        "days are signed in any order",
        SIGNING,
        "if (before := await unsigned_before(connection, row.last_sequence)) is not None:",
        "if (before := None) is not None:",
    ),
    Bug(
        "anybody signs for risk",
        SIGNING,
        "if CAPACITIES[capacity] not in await",
        "if False and CAPACITIES[capacity] not in await",
    ),
    Bug(
        "a record that was changed is not noticed",
        RECORDS,
        "if bytes.fromhex(digest(row.content)) != row.hash:",
        "if False:",
    ),
    Bug(
        "a day opens before the one before it is archived",
        OPENING,
        "day_archive.c.day.is_(None)",
        "day_record.c.day.is_(None)",
    ),
    Bug(
        "a day opens while others are not closed",
        OPENING,
        "for each in await close.unclosed(connection)",
        "for each in []",
    ),
    Bug(
        "breaks do not keep a day closed",
        OPENING,
        "for stop in stops:",
        "for stop in []:",
    ),
    Bug("one person alone opens a day", OPENING, "PEOPLE: Final = 2", "PEOPLE: Final = 1"),
    Bug("two clerks open a day", OPENING, "if found.opened_by and not operated:", "if False:"),
    Bug(
        "a day is opened for ever",
        OPENING,
        "columns.sequence == sequence, staff",
        "columns.sequence <= sequence, staff",
    ),
    Bug(
        "an opening counts for what was found after it",
        OPENING,
        "if about >= {each.about for each in found}",
        "if about",
    ),
    Bug(
        "the same break counts whatever its difference", OPENING, "{stop.break_id} {stop.difference}", "{stop.break_id}"
    ),
    Bug("somebody who is suspended opens a day", OPENING, "staff.c.status == ACTIVE, permitted", "permitted"),
    Bug(
        "an opening of two people counts though neither operates the market any more",
        OPENING,
        "len(self.opened_by) >= PEOPLE and self.operated and",
        "len(self.opened_by) >= PEOPLE and",
    ),
    Bug(
        "a difference that no run has found keeps no day closed",
        OPENING,
        "found = await holdings.differences(connection)",
        "found = list[holdings.HoldingDifference]()",
    ),
    Bug(
        "people open a day while engine and ledger differ",
        OPENING,
        " and self.operated and not self.differs)",
        " and self.operated)",
    ),
    Bug(
        "a clerk is not told that nobody opens over a difference", OPENING, "    if found.differs:\n", "    if False:\n"
    ),
    Bug("a break between engine and ledger is one like all others", OPENING, "stop.area == ENGINE)", "False)"),
    Bug("a difference that no run has found is opened over", OPENING, "differs=True", "differs=False"),
    Bug("a halt opens the day", OPENING, "(terms.CLOSED, terms.HALTED)", "(terms.CLOSED,)"),
    Bug("a trade does not open the day", OPENING, "select(begun | traded)", "select(begun)"),
    Bug(
        "the engine does not hear what stands in the way",
        SERVICE_OPENING,
        "        if command != self._sent:\n",
        "        if False:\n",
    ),
    Bug(
        "what another service has sent last counts for ever",
        SERVICE_OPENING,
        "        if now >= self._again_at and",
        "        if False and",
    ),
    Bug("a killed write of a record is written on", ARCHIVE, "partial.unlink(missing_ok=True)", "pass"),
    Bug("the answer to another request for a time stamp is taken", STAMPS, "nonce=nonce", "nonce=None"),
    Bug(
        "a time stamp is kept without a check of its roots", STAMPS, "if roots else _time_in", "if False else _time_in"
    ),
    Bug("a file of the archive is written anew", ARCHIVE, "if file.read_bytes() != data:", "if False:"),
    Bug("facts that were altered are not noticed", RECORDS, "row.facts)) != row.input_hash", "row.facts)) == b''"),
    Bug("a changed output is not noticed", RECORDS, "bytes.fromhex(digest(row.output)) != row.output_hash", "False"),
    Bug(
        "deals make the closing price",
        "closing/prices.py",
        "columns.sequence <= day.last, standing(), of_orders())",
        "columns.sequence <= day.last, standing())",
    ),
    Bug(
        "the bulletin counts deals among the trades of orders",
        "closing/bulletin.py",
        "columns.sequence.between(day.first, day.last), standing(), of_orders())",
        "columns.sequence.between(day.first, day.last), standing())",
    ),
    Bug(
        "the bulletin counts requests for quotes as deals",
        "closing/bulletin.py",
        '{DEAL_TRADE: "deals", RFQ_TRADE: "requests"}',
        '{DEAL_TRADE: "deals", RFQ_TRADE: "deals"}',
    ),
    Bug(
        "a deal is the last price in settlement",
        "ledger/posting.py",
        "for event in self.trades if event.kind is None]))",
        "for event in self.trades]))",
    ),
    Bug(
        "a statement does not say that a trade is a deal",
        "closing/statement_trades.py",
        "(CAST(:kinds AS text[]))[kind + 1]",
        "(CAST(:kinds AS text[]))[NULL]",
    ),
)
