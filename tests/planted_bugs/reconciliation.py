"""Bugs in the reconciliation of ledger, warehouse and engine, of statements and of depository reports."""

from tests.planted_bugs.bug import Bug

THREE_WAY = "reconciliation/three_way.py"
BREAKS = "reconciliation/breaks.py"
FREEZE = "reconciliation/vault_freeze.py"
STATEMENT = "reconciliation/warehouse_statement.py"
BARS = "reconciliation/bar_comparison.py"
REGISTER = "reconciliation/warehouse_register.py"
PAIRS = "reconciliation/pairs.py"
SCALES = "lots/scales.py"
ORDER = "reconciliation/statement_order.py"
KEYS = "reconciliation/warehouse_keys.py"
REPORT = "reconciliation/depository_report.py"
HISTORIES = "reconciliation/histories.py"
DOCUMENTS = "reconciliation/documents.py"
CHANGES = "base/changes.py"
CHAIN = "ledger/chain.py"
UNDOCUMENTED = "ledger/undocumented.py"
OWN_STOCK = "ledger/own_stock.py"

TRADES_OF_LEDGER = "reconciliation/trades.py"

BUGS = (
    Bug(
        "an annulment may be posted as a trade",
        TRADES_OF_LEDGER,
        "SELECT trade_id, sequence, at, -1 FROM trade_bust",
        "SELECT trade_id, sequence, at, 1 FROM trade_bust",
    ),
    Bug("other lines of a trade are not seen", TRADES_OF_LEDGER, "OR everything <>", "OR false AND everything <>"),
    Bug("a trade's gold comes from anybody", TRADES_OF_LEDGER, " OR from_seller <> -sign * quantity", ""),
    Bug("a seller gets any sum", TRADES_OF_LEDGER, "OR of_seller <> sign * (amount - sell_fee)", ""),
    Bug(
        "a price is not compared with its amount",
        TRADES_OF_LEDGER,
        "amount <> div(price::numeric * quantity, :mg_per_gram)",
        "false",
    ),
    Bug(
        "an entry without a trade is not seen",
        TRADES_OF_LEDGER,
        "NOT EXISTS (SELECT FROM trade t WHERE t.sequence = e.sequence AND t.sequence > :proved)",
        "false",
    ),
    Bug(
        "money moved between members without a document is not seen",
        UNDOCUMENTED,
        "having(func.count().filter(columns.kind == SUSPENSE) == 0)",
        "having(func.count().filter(columns.kind == SUSPENSE) < 0)",
    ),
    Bug(
        "what one side alone has is not compared",
        PAIRS,
        "here.join(there, same, full=True)",
        "here.join(there, same, isouter=True)",
    ),
    Bug(
        "what the other side alone has is not compared",
        PAIRS,
        "here.join(there, same, full=True)",
        "there.join(here, same, isouter=True)",
    ),
    Bug(
        "a balance without postings is not compared",
        THREE_WAY,
        "query = query.outerjoin(part,",
        "query = query.join(part,",
    ),
    Bug("the vault's balance has the wrong sign", THREE_WAY, "(-columns.balance).label", "(columns.balance).label"),
    Bug(
        "a receipt without its lot is not found",
        THREE_WAY,
        "both = outerjoin(held, live, held.c.lot_id == live.c.lot_id, full=True)",
        "both = outerjoin(held, live, held.c.lot_id == live.c.lot_id)",
    ),
    Bug(
        "a lot without its receipt is not found",
        THREE_WAY,
        "both = outerjoin(held, live, held.c.lot_id == live.c.lot_id, full=True)",
        "both = outerjoin(live, held, held.c.lot_id == live.c.lot_id)",
    ),
    Bug("a lock needs no document that names its lot", THREE_WAY, "lock.lot_id == any_(encumbrance.c.lots), ", ""),
    Bug("a lock may outlive its document", THREE_WAY, "encumbrance.c.status.in_(ENCUMBRANCE_OPEN))", "true())"),
    Bug("a certificate is not computed again", THREE_WAY, " and not recompute(row.content)", ""),
    Bug(
        "sellers' fees are not expected",
        THREE_WAY,
        "func.sum(trade.c.buy_fee + trade.c.sell_fee)",
        "func.sum(trade.c.buy_fee)",
    ),
    Bug(
        "the bank's balance has the wrong sign",
        THREE_WAY,
        '-await _balance(connection, "bank_escrow")',
        'await _balance(connection, "bank_escrow")',
    ),
    Bug(
        "what came by no document is not reported",
        THREE_WAY,
        "    _check_cash,\n    unidentified.compare,\n",
        "    _check_cash,\n",
    ),
    Bug(
        "only what exceeds the other side is a break",
        "reconciliation/comparison.py",
        "if expected != found:",
        "if expected < found:",
    ),
    Bug("a run corrects the breaks of other scopes", BREAKS, " & (recon_break.c.scope == scope)", ""),
    Bug(
        "a run corrects the breaks that it found",
        BREAKS,
        "recon_break.c.last_run < run_id)",
        "recon_break.c.last_run <= run_id)",
    ),
    Bug(
        "a break that is found again keeps its last run",
        BREAKS,
        '_NEWEST, "last_run", "status", "closed_at")',
        '_NEWEST, "status", "closed_at")',
    ),
    Bug("an explained break may grow a little", BREAKS, "abs(after) > abs(before)", "abs(after) > 2 * abs(before)"),
    Bug("an explained break may turn round", BREAKS, " or (after > 0) != (before > 0)", ""),
    Bug("an explained seal may be another", BREAKS, "if row.difference != found.difference:", "if False:"),
    Bug(
        "another wording of a note is another break",
        BREAKS,
        "if row.difference != found.difference:",
        "if row.note != found.note:",
    ),
    Bug("a seal there makes no other break", BARS, "difference_of(here, there)", "difference_of(here)"),
    Bug("weekends make a break older", BREAKS, "extract(isodow FROM later.at) < 6", "true"),
    Bug("holidays make a break older", BREAKS, "coalesce(calendar_day.working, ", "coalesce(NULL::boolean, "),
    Bug("two lots of one text are one break", BREAKS, "for number in (found.lot_id, None))", "for number in (None,))"),
    Bug("bars of marks with blanks are one break", BARS, """if " " in part or '"' in part""", "if False"),
    Bug("bars that are all light are no drift", BARS, "if abs(there - expected) <=", "if there - expected <="),
    Bug("a drift may be larger", BARS, "isqrt(3 *", "isqrt(4 *"),
    Bug("the owner of a receipted bar is its depositor", REGISTER, "WHERE r.status = :live", "WHERE r.status <> :live"),
    Bug(
        "the owner of a promised bar is its receipt's",
        REGISTER,
        "claim ORDER BY lot_id, turn",
        "claim ORDER BY lot_id, turn DESC",
    ),
    Bug("whose a bar is does not matter", BARS, "folded(p.stated_owner) NOT IN (", "folded(p.stated_owner) IN ("),
    Bug(
        "a bar that has left is not named",
        BARS,
        "WHERE d.strange ORDER BY",
        "WHERE d.strange AND NOT l.state = ANY (:gone) ORDER BY",
    ),
    Bug(
        "a bar that is here again is one that has left",
        BARS,
        "l.state = ANY (:gone), l.lot_id DESC",
        "l.state = ANY (:gone) DESC, l.lot_id DESC",
    ),
    Bug(
        "a bar that only the warehouse has is not seen", BARS, "FROM register r FULL JOIN", "FROM register r LEFT JOIN"
    ),
    Bug(
        "a bar that only the register has is not seen", BARS, "FROM register r FULL JOIN", "FROM register r RIGHT JOIN"
    ),
    Bug("a bar of another year is the same", BARS, "= s.serial AND r.year = s.year", "= s.serial AND r.year >= 0"),
    Bug("a vault is frozen a day late", FREEZE, "AFTER_DAYS: Final = 3", "AFTER_DAYS: Final = 4"),
    Bug("an explained break freezes no vault", FREEZE, "columns.status.in_(BREAK_WAITS)", 'columns.status == "OPEN"'),
    Bug("a break that is written off freezes the vault", FREEZE, "in_(BREAK_WAITS)", "not_in(['CORRECTED'])"),
    Bug(
        "a resolved break stays resolved",
        BREAKS,
        "reopens = row.break_id not in resolved_since",
        "reopens = _is_another(row, found)",
    ),
    Bug(
        "a written-off break is open again each time",
        BREAKS,
        "if row.status == _RESOLVED:",
        "if row.status not in (_OPEN, 'EXPLAINED'):",
    ),
    Bug("a break that is open again stays closed", BREAKS, "None if reopens else row.closed_at", "row.closed_at"),
    Bug(
        "a write-off closes at the run that finds it no more",
        BREAKS,
        "func.coalesce(recon_break.c.closed_at, now)",
        "now",
    ),
    Bug("a count of two lots ends the breaks of all", BREAKS, "if only_lots is not None:", "if only_lots is None:"),
    Bug(
        "a count freezes no vault", FREEZE, "(statement_scope(place), count_scope(place))", "(statement_scope(place),)"
    ),
    Bug(
        "a break of the books freezes every vault",
        FREEZE,
        "(columns.scope == BOOKS) & lot_there",
        "columns.scope == BOOKS",
    ),
    Bug("one kilogram has the tolerance of five", SCALES, "(100_000, 2)", "(99_999, 2)"),
    Bug("five kilograms have the tolerance of more", SCALES, "(500_000, 5)", "(499_999, 5)"),
    Bug(
        "a bar that weighs too little is no difference",
        BARS,
        "abs(p.stated_cg - p.weight_cg) >",
        "p.stated_cg - p.weight_cg >",
    ),
    Bug(
        "the tolerance itself is a difference",
        BARS,
        "abs(p.stated_cg - p.weight_cg) >",
        "abs(p.stated_cg - p.weight_cg) >=",
    ),
    Bug("a bar that stands there twice is none", BARS, "p.times > 1 AS twice", "p.times > 2 AS twice"),
    Bug("a lot on its way is missing", BARS, '"TIMING" if row.travels else', '"TIMING" if not row.travels else'),
    Bug(
        "the oldest seal is expected",
        REGISTER,
        "e.event_id DESC",
        "e.event_id",
    ),
    Bug(
        "a lifted lock still binds",
        REGISTER,
        "WHERE k.lifted_at IS NULL GROUP BY",
        "GROUP BY",
    ),
    Bug(
        "a bar that is to come lies elsewhere",
        BARS,
        "if row.other_state in AT_WAREHOUSE:",
        "if row.other_state is not None:",
    ),
    Bug(
        "lots of other warehouses are expected",
        REGISTER,
        "WHERE l.warehouse = :place AND l.state",
        "WHERE :place <> '' AND l.state",
    ),
    Bug(
        "what was withdrawn is received",
        REPORT,
        "net = given.received - given.withdrawn",
        "net = given.received + given.withdrawn",
    ),
    Bug(
        "an adjustment is left out of the total",
        REPORT,
        "total = given.previous + net + given.adjustment",
        "total = given.previous + net",
    ),
    Bug(
        "the combined total leaves out what is eligible",
        REPORT,
        'if category in ("Total", s.category)]',
        'if s.category == ("Registered" if category == "Total" else category)]',
    ),
    Bug(
        "a lot may lie anywhere",
        HISTORIES,
        '        facts.same(f"{about} warehouse", event and event.warehouse, row.warehouse, number)\n',
        "",
    ),
    Bug("locks are lifted by nobody", HISTORIES, "    await _locks(connection, facts, lots_written)\n", ""),
    Bug("a deleted document is not missed", HISTORIES, "sorted(states.keys() | recorded)", "sorted(states.keys())"),
    Bug(
        "anybody has decided a proposal",
        HISTORIES,
        '        facts.same(f"proposal:{number} decider", by, found and found.decided_by)\n',
        "",
    ),
    Bug("deleted fees are not missed", HISTORIES, "_proposals, _fees, _people", "_proposals, _people"),
    Bug("a document that nothing was sent for is passed over", DOCUMENTS, "sorted(sent | made)", "sorted(sent)"),
    Bug(
        "what was posted is what was sent",
        DOCUMENTS,
        "made_of, entry, cash_id",
        "entry, entry, cash_id",
    ),
    Bug(
        "entries of the ledger are not chained",
        CHAIN,
        "return sha256(previous + f",
        "return sha256(GENESIS + f",
    ),
    Bug("an older statement undoes a newer one", ORDER, "if newest is not None and", "if newest is None and"),
    Bug("a statement may be of a day to come", ORDER, "if day > today():", "if day > date.max:"),
    Bug("one person is two", ORDER, "first.taken_by == by:", "first.taken_by is None:"),
    Bug(
        "one person's statement ends breaks",
        BREAKS,
        "ends = corrects and proved is None",
        "ends = proved is None",
    ),
    Bug("a signed statement ends no breaks", STATEMENT, "self.second or self.signed_by is not None", "self.second"),
    Bug("any key signs any warehouse's statement", KEYS, "if row.warehouse != place:", "if False:"),
    Bug(
        "an ended key signs",
        KEYS,
        "if row.status == _ENDED:\n            raise",
        "if row.status == _ENDED:\n            return 1\n            raise",
    ),
    Bug("a key signs before it is approved", KEYS, "if row.status != _LIVE:", "if row.status == _ENDED:"),
    Bug("a signature covers nothing", KEYS, "signature, data)", "signature, b'')"),
    Bug(
        "a clerk's key may be the warehouse's",
        KEYS,
        "if await connection.scalar(select(api_key",
        "if not await connection.scalar(select(api_key",
    ),
    Bug("a signed statement is of any day", STATEMENT, "if days != {day}:", "if not days:"),
    Bug("a file is of another day than it says", STATEMENT, "days - {day, None}", "days - days"),
    Bug("a signed statement is taken in twice", ORDER, "for entry in (SECOND, SIGNED):", "for entry in (SECOND,):"),
    Bug(
        "two signed statements are of one day",
        ORDER,
        "await connection.scalar(query)) is not None",
        "await connection.scalar(query)) == 0",
    ),
    Bug("another key than was proposed", HISTORIES, "proposed.get(row.key_no), kept)", "kept, kept)"),
    Bug(
        "rows that are no longer as an act left them",
        CHANGES,
        "a.broken OR p.digest IS DISTINCT FROM a.digest",
        "a.broken",
    ),
    Bug("an act hides the change before it", CHANGES, "bool_or(before IS DISTINCT FROM left_at)", "bool_or(false)"),
    Bug("an explained change by hand covers the next one", CHANGES, ", without an act (change {row.change_no})", ""),
    Bug("a second change past the triggers is covered by the first", CHANGES, "is now {row.present}", "is another"),
    Bug(
        "a change past the triggers is covered before an act",
        CHANGES,
        "[] if row.unfit is None else",
        "[] if True else",
    ),
    Bug("a document's rows are not looked at", CHANGES, "any(key.column.table is about", "any(key.column is about"),
    Bug("documents changed by hand are approved", CHANGES, "update(map(str, subjects))", "update(())"),
    Bug("the rows of tables have no history", HISTORIES, "_people, _warehouse_keys, _rows", "_people, _warehouse_keys"),
    Bug("own stock is what is kept", OWN_STOCK, "if (there, sold) != (own, own_sold)", "if False"),
)
