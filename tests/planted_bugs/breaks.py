"""Bugs in the work on breaks, in inventory counts, and in the fees that a reconciliation computes again."""

from tests.planted_bugs.bug import Bug

WORK = "reconciliation/break_work.py"
VALUES = "reconciliation/break_values.py"
LIMITS = "reconciliation/break_limits.py"
RESOLUTIONS = "reconciliation/resolutions.py"
PAST = "reconciliation/past_limits.py"
AREAS = "reconciliation/break_areas.py"
COUNTS = "reconciliation/count_sessions.py"
RESULTS = "reconciliation/count_results.py"
COUNTING = "reconciliation/counting.py"
COUNT_FILES = "reconciliation/count_files.py"
COUNTED = "lots/counted.py"
FEES = "reconciliation/fees.py"

BUGS = (
    Bug(
        "a run reads while another is under way",
        "base/database.py",
        'while not await connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock}):',
        "while False:",
    ),
    Bug("nobody waits for another run", "base/database.py", "time.monotonic() + wait_seconds", "time.monotonic()"),
    Bug(
        "a run opens again what was resolved after it had read",
        "reconciliation/breaks.py",
        "reopens = row.break_id not in resolved_since",
        "reopens = True",
    ),
    Bug(
        "what was written off may grow",
        "reconciliation/breaks.py",
        'row.status in BREAK.before("reopen") and _is_another(row, found)',
        'row.status == "EXPLAINED" and _is_another(row, found)',
    ),
    Bug(
        "a number of further breaks that are gone stays beside another",
        "reconciliation/breaks.py",
        "or_(recon_break.c.kind.not_in(counted), recon_break.c.unit == FURTHER)",
        "recon_break.c.kind.not_in(counted)",
    ),
    Bug(
        "what differs since a proof is all that differs",
        "reconciliation/breaks.py",
        "if found.unit == FURTHER and not ends and found.found < row.found:",
        "if False:",
    ),
    Bug(
        "a run ends breaks that it has not named",
        "reconciliation/breaks.py",
        "if found.unit == FURTHER}:",
        'if found.unit == ""}:',
    ),
    Bug(
        "what a run has not named is not counted",
        "reconciliation/breaks.py",
        "FURTHER, note)] if left_out else []",
        "FURTHER, note)] if left_out < 0 else []",
    ),
    Bug(
        "a lot without a certificate is not compared",
        "reconciliation/three_way.py",
        "or_(certificate.c.lot_id.is_not(None), lot.c.fine_mg.is_not(None))",
        "certificate.c.lot_id.is_not(None)",
    ),
    Bug("anybody is the owner of a break", WORK, "await registry.staff_permissions(connection, owner)", "pass"),
    Bug(
        "a break is a day too old before it is passed on", LIMITS, "if days >= limits[name])", "if days > limits[name])"
    ),
    Bug("an explanation lets engine and ledger differ", PAST, "return status in BREAK_WAITS", "return status == _OPEN"),
    Bug(
        "the side that paid a wrong fee is the other one",
        FEES,
        "key=lambda wrong: (len(wrong),",
        "key=lambda wrong: (-len(wrong),",
    ),
    Bug(
        "a trade has its instrument's present rates",
        FEES,
        "WHERE r.symbol = t.symbol AND r.sequence < t.sequence",
        "WHERE r.symbol = t.symbol",
    ),
    Bug(
        "a fee may be a fen too high",
        FEES,
        "(t.amount * rate.maker_fee_bp + 9999)",
        "(t.amount * rate.maker_fee_bp + 19999)",
    ),
    Bug("maker and taker may be swapped", FEES, "coalesce(taker_side, :sell) = :sell", ":sell = :sell"),
    Bug("fees that only the ledger has are right", FEES, "> :proved) t FULL JOIN", "> :proved) t LEFT JOIN"),
    Bug("a proposed tariff counts", FEES, " AND r.status = 'AGREED'", ""),
    Bug("a later tariff counts", FEES, " AND r.from_day <= a.day", ""),
    Bug(
        "a bill is what it says",
        FEES,
        "CASE WHEN b.status = 'REPLACED' THEN 0 ELSE b.exact_ufen END",
        "coalesce(f.ufen, 0)",
    ),
    Bug("bars are handed out during a count", COUNTED, '"release",', '"issue",'),
    Bug("bars come in during a full count", COUNTED, '(columns.extent == "FULL") &', '(columns.extent == "LOTS") &'),
    Bug("a partial count freezes the warehouse", COUNTED, '(columns.extent == "FULL") &', '(columns.extent != "") &'),
    Bug(
        "two counts of a warehouse are open at once",
        COUNTS,
        "inventory_count.c.count_no != number",
        "inventory_count.c.count_no > number",
    ),
    Bug("a sample is the first lots", COUNTS, "sorted(sorted(lots, key=place)[:size])", "sorted(lots)[:size]"),
    Bug("anybody enters what was counted", RESULTS, "if by not in counters_of(row):", "if not by:"),
    Bug(
        "the first entry about a bar holds",
        RESULTS,
        "query.order_by(count_result.c.result_no)",
        "query.order_by(count_result.c.result_no.desc())",
    ),
    Bug(
        "an entry leaves the signature valid",
        RESULTS,
        "count_signature.c.last_result == await",
        "count_signature.c.last_result <= await",
    ),
    Bug("a bar need not be counted again to sign", RESULTS, "if turn == 2 and (waiting", "if turn == 3 and (waiting"),
    Bug(
        "counters may differ in weight",
        RESULTS,
        "if abs(one.gross_cg - other.gross_cg) >",
        "if one.gross_cg - other.gross_cg >",
    ),
    Bug("a partial count takes any bar", RESULTS, "row.extent != FULL or turn == 2", "turn == 2"),
    Bug("a counter closes the count", COUNTING, "if by in count_results.counters_of(row):", "if not by:"),
    Bug("strange bars are not counted again", COUNTING, " | (typed.keys() - expected.keys())", ""),
    Bug(
        "bars that differ are not counted again",
        COUNTING,
        "    again |= {key for key, lot_id in expected.items() if lot_id in differing}\n",
        "",
    ),
    Bug(
        "the first round is the result",
        COUNTING,
        "return {**results, **{key: count_results.agreed",
        "return {**{}, **results} or {**{key: count_results.agreed",
    ),
    Bug(
        "bars outside a partial count are missing",
        COUNTING,
        "if one.kind not in _ABSENT or one.lot_id in counted",
        "if one.kind or one.lot_id in counted",
    ),
    Bug(
        "a line without an entry is a bar that is there",
        COUNT_FILES,
        'return any(name in values for name in ("found", "gross_g", "seal"))',
        "return True",
    ),
    Bug("a number that two bars have is the first one's", COUNT_FILES, "if len(known) != 1:", "if len(known) < 1:"),
    Bug("breaks stop the day one day late", PAST, "days >= limits[", "days > limits["),
    Bug("an explained break stops the day", PAST, "return status == _OPEN and days", "return days"),
    Bug("the engine's pool is of the ledger", AREAS, '("HOLDING", "POOL_ENGINE")', '("HOLDING",)'),
    Bug("an old correction resolves a break", RESOLUTIONS, "decided < row.opened_at", "decided < 0"),
    Bug(
        "a correction that is under way resolves a break",
        RESOLUTIONS,
        'if entry.status != CORRECTION.steps["complete"].after:',
        "if not entry.status:",
    ),
    Bug(
        "a bar travels at a mere proposal",
        "reconciliation/warehouse_register.py",
        'for step in ("approve", "ship")]',
        'for step in ("propose", "approve", "ship")]',
    ),
    Bug(
        "a correction of metal resolves a break of money",
        RESOLUTIONS,
        'if row.asset not in ("", corrections.asset_of(entry)):',
        'if row.asset == "":',
    ),
    Bug(
        "an account that only a subject is named as resolves a break",
        RESOLUTIONS,
        "set() if row.account is None else {owner_of(row.account)}",
        "{owner_of(row.account or row.subject)}",
    ),
    Bug(
        "money that only a note names resolves a break",
        RESOLUTIONS,
        "    if row.cash_id is not None:\n"
        "        money = select(cash_transfer.c.account).where(cash_transfer.c.cash_id == row.cash_id)",
        '    if (named := row.note.partition("cash:")[2].partition(" ")[0]) or row.cash_id is not None:\n'
        "        number = int(named or row.cash_id)\n"
        "        money = select(cash_transfer.c.account).where(cash_transfer.c.cash_id == number)",
    ),
    Bug("any correction resolves a break", RESOLUTIONS, "if not moved & about:", "if not moved | about:"),
    Bug(
        "a weight of another lot resolves a break",
        RESOLUTIONS,
        "row.lot_id not in found.subjects",
        "not found.subjects",
    ),
    Bug("a proposed weight resolves a break", RESOLUTIONS, "if found.status != APPROVED:", "if not found.status:"),
    Bug("an assay of another lot resolves a break", RESOLUTIONS, "or found.lot_id != row.lot_id", ""),
    Bug("an old assay resolves a break", RESOLUTIONS, "if found.at < row.opened_at:", "if found.at < 0:"),
    Bug("an X-ray resolves a break", RESOLUTIONS, ' or found.method != "FIRE_ASSAY"', ""),
    Bug(
        "what is written off may have grown",
        RESOLUTIONS,
        "if any(agreed.summary[name] != value",
        "if all(agreed.summary[name] != value",
    ),
    Bug("breaks of any value are written off", RESOLUTIONS, "value is None or value > limit", "value is None"),
    Bug(
        "the limit is not looked at again",
        RESOLUTIONS,
        "        await _check_value(connection, row)\n        now",
        "        now",
    ),
    Bug("engine and ledger are written off", RESOLUTIONS, "if area == ENGINE:", 'if area == "":'),
    Bug(
        "two write-offs are proposed at once",
        RESOLUTIONS,
        "proposal.c.status == PROPOSED, about",
        'proposal.c.status == "NONE", about',
    ),
    Bug("a weight counts as pure gold", VALUES, "FINENESS_ONE if about is None else _fineness(about)", "FINENESS_ONE"),
    Bug(
        "an older settlement price counts",
        VALUES,
        "day_price.c.symbol, day_price.c.day.desc()",
        "day_price.c.symbol, day_price.c.day",
    ),
    Bug(
        "the reference goes before the last price",
        VALUES,
        "reference if last is None else last",
        "last if reference is None else reference",
    ),
    Bug(
        "limits of ENGINE are changed",
        LIMITS,
        "    if _is_fixed(area, name):\n        text",
        "    if not name:\n        text",
    ),
    Bug("desks come in any order", LIMITS, "if order != sorted(order):", "if not order:"),
    Bug("the first change of a limit holds", LIMITS, "break_limit.c.limit_no.desc()", "break_limit.c.limit_no"),
    Bug("the name says what a file is", WORK, "if not _IS_KIND[kind](data):", "if not kind:"),
    Bug("a break may have any number of files", WORK, ">= MOST_FILES:", "> MOST_FILES:"),
)
