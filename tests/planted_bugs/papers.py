"""Bugs in statements of account, bulletins and invoices."""

from tests.planted_bugs.bug import Bug

CONTENT = "closing/statement_content.py"
SOURCES = "closing/statement_sources.py"
STATEMENTS = "closing/statements.py"
BULLETIN = "closing/bulletin.py"
INVOICES = "closing/invoices.py"
PARTS = "closing/invoice_parts.py"
RED = "closing/red_invoices.py"
LINES = "closing/invoice_lines.py"

BUGS = (
    Bug(
        "the close forgets the corrections of its day",
        INVOICES,
        'corrected = {"corrections": made_of_day} if made_of_day else {}',
        "corrected: dict[str, str] = {}",
    ),
    Bug(
        "a replaced invoice is no correction",
        INVOICES,
        "columns.corrects.is_not(None) | columns.replaces",
        "columns.corrects",
    ),
    Bug(
        "corrections are of all days",
        INVOICES,
        "columns.day == day, columns.corrects.is_not",
        "columns.corrects.is_not",
    ),
    Bug(
        "a member reads the corrections of others",
        CONTENT,
        'found.corrections.get(first["member"], ())',
        "[one for each in found.corrections.values() for one in each]",
    ),
    Bug("more is taken back of a line than is left", PARTS, "if not 0 < wanted <= rest:", "if not 0 < wanted:"),
    Bug("what was taken back before is not counted", PARTS, 'left[line["line"] - 1] += line["amount_fen"]', "pass"),
    Bug(
        "the tax of a part is rounded by itself",
        PARTS,
        """taxed(before + taken, rate)["net_fen"] - taxed(before, rate)["net_fen"]""",
        """taxed(taken, rate)["net_fen"]""",
    ),
    Bug("a part has the base of its line", PARTS, 'at_once = taken == line["amount_fen"] and', "at_once ="),
    Bug("an invoice with a rest is cancelled out", RED, ", {}) if rest else", ", {}) if False else"),
    Bug("all of a line is issued again", PARTS, '**taxed(amount, line["rate_bp"]), "amount_fen": amount}', "}"),
    Bug(
        "a red invoice does not say that something is left",
        RED,
        '**({"remaining_fen": rest} if rest else {})',
        "**{}",
    ),
    Bug(
        "the bulletin counts parts as whole invoices",
        BULLETIN,
        'if "remaining_fen" in msgspec.json.decode(row.content)]',
        "if not row]",
    ),
    Bug("the bulletin counts new invoices as cancelled out", BULLETIN, "if row.corrects is not None]", "]"),
    Bug("a statement names no issuer", CONTENT, "    if found.issuer is not None:", "    if False:"),
    Bug("a statement forgets the fees", CONTENT, '"trading_fees": -traded', '"trading_fees": 0 * traded'),
    Bug("opening may differ from yesterday's closing", CONTENT, "if was != now and", "if False and"),
    Bug("pledged gold is not its owner's", CONTENT, '"total": mine + pledged + frozen', '"total": mine + frozen'),
    Bug("what is frozen for orders is available", CONTENT, "if owed else balance - orders -", "if owed else balance -"),
    Bug("a lot that has left is in the statement", SOURCES, "WHERE newest.alive = 1", "WHERE newest.alive >= 0"),
    Bug("a member confirms what is another's", STATEMENTS, "member not in (None, row.member)", "member == ''"),
    Bug(
        "an objection does not stop time",
        STATEMENTS,
        'columns.status.in_(ACCOUNT_STATEMENT.before("accept")), columns.due',
        "columns.due",
    ),
    Bug("a statement is accepted a day early", STATEMENTS, "columns.due_day < today", "columns.due_day <= today"),
    Bug("a statement is made anew", STATEMENTS, "elif kept.hex() != found:", "elif False:"),
    Bug(
        "days to object are calendar days",
        STATEMENTS,
        "days -= await working_days.is_working(connection, day)",
        "days -= 1",
    ),
    Bug(
        "a break that was corrected later is not open",
        BULLETIN,
        "columns.closed_at > ended)",
        "columns.closed_at < 0)",
    ),
    Bug(
        "a weight that is corrected later counts",
        "reports/stock_report.py",
        "WHERE event_id <= :events AND step IN",
        "WHERE step IN",
    ),
    Bug(
        "a bulletin reads names, stock and breaks anew",
        BULLETIN,
        'if kept is not None and "stock" in kept:',
        "if False:",
    ),
    Bug(
        "the days to object count from the trading day",
        STATEMENTS,
        "max(day.day, working_days.today())",
        "day.day",
    ),
    Bug(
        "gold given out is gold taken in",
        BULLETIN,
        "func.greatest(posting.c.amount, 0)",
        "func.greatest(-posting.c.amount, 0)",
    ),
    Bug("a fee is invoiced twice", INVOICES, "row.member: row.last + 1", "row.member: 1"),
    Bug("a month ends every day", INVOICES, "if not await _ends_month(connection, day):", "if False:"),
    Bug("a red invoice is positive", PARTS, '"amount_fen": -taken}', '"amount_fen": taken}'),
    Bug("a line is rounded by itself", LINES, "half_up(whole, UFEN) - before", "half_up(int(row.ufen), UFEN)"),
    Bug("the tax comes on top", LINES, "BASIS_POINTS, BASIS_POINTS + bp", "BASIS_POINTS - bp, BASIS_POINTS"),
)
