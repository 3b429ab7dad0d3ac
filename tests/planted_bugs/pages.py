"""Bugs in the pages of the member protocol's listings."""

from tests.planted_bugs.bug import Bug

BUGS = (
    Bug(
        "a page has one row more than its limit",
        "pages.py",
        "        del page[limit:]\n",
        "        del page[limit + 1 :]\n",
    ),
    Bug("a full page is always followed by another", "pages.py", "len(page) > limit else", "len(page) >= limit else"),
    Bug("the next page begins with the row after it", "pages.py", "key(page[limit - 1]) if", "key(page[-1]) if"),
    Bug(
        "an answer without a limit is cut", "pages.py", "if in_pages else default\n", "if in_pages else default or 5\n"
    ),
    Bug(
        "a page costs nothing beyond its first unit",
        "pages.py",
        "    session.correct_charge(paid, search + whole)\n",
        "",
    ),
    Bug(
        "passing over rows costs nothing", "pages.py", "if searched else 0\n", "if searched and limit is None else 0\n"
    ),
    Bug("rows are gone through before they are paid for", "pages.py", "    session.charge(paid)\n", "    paid = 0\n"),
    Bug(
        "a page that is shorter than its limit costs the limit",
        "session.py",
        "            self.bill(units)\n",
        "            pass\n",
    ),
    Bug(
        "null asks for no first page of those that go back",
        "pages.py",
        "LARGEST_ID if before is None else check",
        "check",
    ),
    Bug("a trade that is no longer kept is refused", "pages.py", " and not gone:\n", ":\n"),
    Bug("nothing comes after a trade that never was", "queries.py", "gone=after < newest)", "gone=True)"),
    Bug("a page after an unknown row is empty", "pages.py", "    if after and not any(", "    if not any("),
    Bug(
        "a page after an unknown row is not refused",
        "pages.py",
        '        raise BadValue("after", after, "what',
        '        BadValue("after", after, "what',
    ),
    Bug("a long listing is written at once", "pages.py", "    if whole <= PART_ROWS:\n", "    if whole:\n"),
    Bug(
        "a part is counted in rows, not in their cost",
        "pages.py",
        "            spent += 1 if cost is None else cost(row)\n",
        "            spent += 1\n",
    ),
    Bug(
        "a session that has ended is answered",
        "pages.py",
        "        if left:\n            return not session.ended\n        if not session.ended:\n",
        "        if left:\n            return True\n        if True:\n",
    ),
    Bug(
        "a deal that ended meanwhile is listed",
        "queries.py",
        "write_deal(deal, account.name) if deal.status == OPEN else None",
        "write_deal(deal, account.name)",
    ),
    Bug("deals begin with the page before", "queries.py", "if deal.proposed.deal_id > after)", "if True)"),
    Bug("requests begin with the page before", "queries.py", "if one.created.rfq_id > after)", "if True)"),
    Bug("a holding stands on two pages", "queries.py", "if asset > after)", "if asset >= after)"),
    Bug("a group stands on two pages", "queries.py", "limits.set_by.group > after)", "limits.set_by.group >= after)"),
    Bug(
        "older candles begin with a known one", "queries.py", "if candle.start < before]", "if candle.start <= before]"
    ),
    Bug(
        "the oldest page of candles is not the last",
        "queries.py",
        "kept[0].start if len(kept)",
        "kept[0].start if not len(kept)",
    ),
)
