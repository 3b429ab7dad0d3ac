"""Bugs in what settlement and gateways keep for deals of named lots, and in how their title moves."""

from tests.planted_bugs.bug import Bug

RESERVATIONS, TITLES = "custody/reservations.py", "custody/titles.py"

COMPARED = "reconciliation/titles.py"

BUGS: tuple[Bug, ...] = (
    Bug(
        "a side that is missing is no difference",
        "reconciliation/pairs.py",
        "is_distinct_from(pair.c.found)",
        "__ne__(pair.c.found)",
    ),
    Bug(
        "an earlier trade does not make bought title",
        COMPARED,
        "b.since < m.sequence",
        "b.since > m.sequence",
    ),
    Bug("an annulled trade still moves the title", COMPARED, "FROM bought WHERE until IS NULL", "FROM bought"),
    Bug(
        "own stock goes by the titles of later trades",
        COMPARED,
        "AND (b.until IS NULL OR b.until > m.sequence)",
        "AND b.until IS NULL",
    ),
    Bug(
        "a reservation is not compared because its receipt was written",
        COMPARED,
        "or_(written, named)",
        "or_(written)",
    ),
    Bug(
        "the other receipts of a reservation are not read",
        COMPARED,
        "receipts.union(*(row.receipts for row in rows))",
        "receipts",
    ),
    Bug(
        "named lots are not locked before their command",
        RESERVATIONS,
        "    await locks.lay(connection, SERVICE, LOCK, lot_ids, reason, number)\n",
        "",
    ),
    Bug(
        "anybody's lots can be named",
        RESERVATIONS,
        '(row.account, row.symbol, row.status) != (move.from_account, move.symbol, "LIVE")',
        '(row.symbol, row.status) != (move.symbol, "LIVE")',
    ),
    Bug(
        "a pledged lot is sold by name",
        RESERVATIONS,
        "        if row.lot_id in bound:\n",
        "        if row.lot_id in bound and not bound:\n",
    ),
    Bug(
        "a lot in a load-out is sold by name",
        RESERVATIONS,
        '        if row.state != "RECEIPTED":\n',
        '        if row.state == "REGISTERED":\n',
    ),
    Bug(
        "named lots weigh what is said",
        RESERVATIONS,
        "    if fine != move.fine_mg:\n",
        "    if fine < move.fine_mg - 1:\n",
    ),
    Bug(
        "a lot goes back by another trade than it came",
        RESERVATIONS,
        "row.trade_id != move.trade_id:",
        "row.trade_id is None:",
    ),
    Bug(
        "lots are freed while their command may still come",
        RESERVATIONS,
        "lot_reservation.c.until < reached",
        "lot_reservation.c.until <= reached + 1_000_000",
    ),
    Bug(
        "what the engine has taken is released",
        RESERVATIONS,
        '    if await connection.scalar(query) != "RESERVED":\n',
        "    if await connection.scalar(query) not in RESERVATION_OPEN:\n",
    ),
    Bug(
        "the end of a deal leaves its lots locked",
        RESERVATIONS,
        "    await locks.lift(connection, SERVICE, LOCK, number)\n",
        "",
    ),
    Bug("the title stays with the seller", TITLES, "values(account=sale.to_account, ", "values("),
    Bug(
        "a resold receipt forgets to whom it was issued",
        TITLES,
        "func.coalesce(receipt.c.issued_to, receipt.c.account)",
        "receipt.c.account",
    ),
    Bug(
        "an annulled trade leaves the receipt bought",
        TITLES,
        "        trade_id = earlier.get(row.receipt_no)\n",
        "        trade_id = row.trade_id\n",
    ),
    Bug(
        "the lot's history does not have the change of title",
        TITLES,
        "    await lots.record_events(connection, SERVICE, STEP, details)\n",
        "",
    ),
    Bug(
        "a lot that was bought by name is handed to others first",
        "load_outs/application.py",
        "others = [row for row in rows if not row.named and not (",
        "others = [row for row in rows if not (",
    ),
    Bug(
        "a register from an older backup stops settlement",
        TITLES,
        "        number = await reservations.reserve(connection, move, event.at)\n",
        '        raise UnfitLots("UNKNOWN_LOT", "lots", 0, "lots that are kept")\n',
    ),
    Bug(
        "a number that is given again after a backup stops settlement",
        TITLES,
        "            return row\n",
        "            return row\n        raise WrongLots(str(said))\n",
    ),
    Bug(
        "an annulment leaves the lots with the buyer",
        TITLES,
        "    if named is not None:\n",
        "    if named == []:\n",
    ),
    Bug(
        "settlement takes lots that are reserved for others",
        TITLES,
        "        if kept == said:\n",
        "        if kept[-1] == status:\n",
    ),
    Bug(
        "a declined deal keeps its lots",
        TITLES,
        '            await reservations.free(connection, row.reservation_no, "end", reason=event.reason)\n',
        "            continue\n",
    ),
    Bug("named lots are sold out of bought title first", "ledger/own_stock.py", "min(self.own, deposited))", "0)"),
    Bug(
        "own stock is computed again without the lots named",
        "ledger/own_stock.py",
        '            account, part = named.get(sequence, ("", 0))\n',
        '            account, part = "", 0\n',
    ),
    Bug(
        "what has followed named lots is posted with them",
        "ledger/posting.py",
        "if kind is DayEnded or _moves_lots(event):",
        "if kind is DayEnded:",
    ),
    Bug(
        "a legal hold is laid over a deal",
        "lots/locks.py",
        "            await _check_not_in_deal(connection, lot_ids)\n",
        "            pass\n",
    ),
    Bug(
        "a receipt is issued again to who sold its lot",
        "custody/receipt_cancels.py",
        "values=owned, ",
        "",
    ),
    Bug(
        "a holder that differs from its history is no break",
        COMPARED,
        "coalesce(said.holder, r.issued_to) AS expected",
        "r.account AS expected",
    ),
    Bug(
        "a lock that no deal needs is no break",
        COMPARED,
        "laid.where(here.kind == LOCK, here.lifted_at.is_(None))",
        "laid.where(here.kind == LOCK, here.lifted_at.is_(None), "
        "here.subject.in_(kept.with_only_columns(columns.reservation_no)))",
    ),
)
