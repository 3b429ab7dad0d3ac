"""Bugs in load-outs: allocation, over/short weight, application, handing over, cancellation, claims."""

from tests.planted_bugs.bug import Bug

ALLOCATION = "load_outs/allocation.py"
APPLICATION = "load_outs/application.py"
OVER_SHORT = "load_outs/over_short.py"
HANDING_OVER = "load_outs/handing_over.py"
CANCELS = "load_outs/cancels.py"
HOLDINGS = "ledger/holdings.py"
CLAIMS = "load_outs/quality_claims.py"

BUGS = (
    Bug(
        "of two choices equally far the higher is taken", ALLOCATION, "total > ask_mg, chosen", "total < ask_mg, chosen"
    ),
    Bug(
        "of two choices the one of more lots is taken",
        ALLOCATION,
        "chosen.bit_count(), chosen)",
        "-chosen.bit_count(), chosen)",
    ),
    Bug(
        "sums below the ask are passed over",
        ALLOCATION,
        "ordered[max(place - 1, 0) : place + 1]",
        "ordered[place : place + 1]",
    ),
    Bug(
        "the second half's lots are those of the first",
        ALLOCATION,
        "mask | second[other] << middle",
        "mask | second[other]",
    ),
    Bug(
        "a difference of exactly the tolerance is too large",
        OVER_SHORT,
        "* 100 <= ask_mg * TOLERANCE_PERCENT",
        "* 100 < ask_mg * TOLERANCE_PERCENT",
    ),
    Bug(
        "the venue buys the over weight", OVER_SHORT, "symbol, ask_mg - allocated_mg)", "symbol, allocated_mg - ask_mg)"
    ),
    Bug(
        "the venue pays for the over weight",
        OVER_SHORT,
        "        (account, CASH, -over_short_fen),\n        (OVER_SHORT_ACCOUNT, CASH, over_short_fen),\n",
        "        (account, CASH, over_short_fen),\n        (OVER_SHORT_ACCOUNT, CASH, -over_short_fen),\n",
    ),
    Bug(
        "the reference price goes before the last trade's",
        OVER_SHORT,
        "if last is not None:",
        "if last is not None and reference is None:",
    ),
    Bug("reserved gold is withdrawn", HOLDINGS, "row.total - row.reserved - row.locked", "row.total - row.locked"),
    Bug("locked gold is withdrawn", HOLDINGS, "row.total - row.reserved - row.locked", "row.total - row.reserved"),
    Bug("a whole holding cannot be withdrawn", HOLDINGS, "if available < amount:", "if available <= amount:"),
    Bug(
        "a window is counted from today",
        APPLICATION,
        "request.until_day or first + timedelta(days=days)",
        "request.until_day or today + timedelta(days=days)",
    ),
    Bug("lots that are bound are allocated", APPLICATION, "        locks.is_free(),\n", ""),
    Bug("lots of other warehouses are allocated", APPLICATION, "        lot.c.warehouse == request.warehouse,\n", ""),
    Bug(
        "everybody's deposits are one's own",
        APPLICATION,
        "    own = live.where(receipt.c.account == request.account)\n",
        "    own = live\n",
    ),
    Bug(
        "own stock goes before bought title",
        APPLICATION,
        "max(request.ask_mg - (total - own), 0)",
        "max(request.ask_mg - own, 0)",
    ),
    Bug(
        "the last day of a window is too late",
        APPLICATION,
        "if working_days.today() > row.until_day:",
        "if working_days.today() >= row.until_day:",
    ),
    Bug(
        "a declined application keeps its lots",
        APPLICATION,
        '    await lots.take(connection, by, "deallocate", await load_outs.lots_of(connection, subjects))\n',
        "",
    ),
    Bug("receipts outlive their lots", APPLICATION, "    await receipts.cancel(connection, by, ids)\n", ""),
    Bug(
        "the engine is sent the ask for all lots",
        APPLICATION,
        "row.ask_mg, row.allocated_mg, row.over_short_fen",
        "row.ask_mg, row.ask_mg, row.over_short_fen",
    ),
    Bug("a cancelled load-out gives the ask back", CANCELS, "row.allocated_mg),)", "row.ask_mg),)"),
    Bug("a load-out expires a day early", CANCELS, "load_out.c.until_day < today", "load_out.c.until_day <= today"),
    Bug(
        "a cancel is charged on the day of application alone",
        CANCELS,
        "free = await trading_days.at(connection, row.applied_at) == await trading_days.present(connection)",
        "free = await trading_days.at(connection, row.applied_at) != await trading_days.present(connection)",
    ),
    Bug(
        "a cancel is charged by the day of its approval",
        CANCELS,
        "await _was_proposed_late(connection, number)",
        "working_days.day_of(row.applied_at) != working_days.today()",
    ),
    Bug(
        "a signature keeps a sheet for ever",
        CANCELS,
        "load_out.c.status.in_(UNCOLLECTED), load_out",
        'load_out.c.status == "SUCCESS", load_out',
    ),
    Bug("a held lot comes back by expiry", CANCELS, ", ~load_outs.is_held()", ""),
    Bug(
        "a held lot comes back by a cancel",
        CANCELS,
        "    await load_outs.check_not_held(connection, subjects)\n",
        "",
    ),
    Bug(
        "a held lot's application is approved",
        APPLICATION,
        "    await load_outs.check_not_held(connection, subjects)\n",
        "",
    ),
    Bug(
        "a held lot is signed for",
        HANDING_OVER,
        "    await load_outs.check_not_held(connection, [load_out_no])\n    tries",
        "    tries",
    ),
    Bug(
        "an application that has lapsed keeps its lots",
        APPLICATION,
        "        await declined(connection, SERVICE, numbers)\n",
        "",
    ),
    Bug(
        "applications promise nothing",
        HOLDINGS,
        "free - taken, 0)",
        "free, 0)",
    ),
    Bug(
        "the venue promises no over weight",
        HOLDINGS,
        "return own_part + int(await connection.scalar(others) or 0)",
        "return own_part",
    ),
    Bug(
        "the receipts that come back are another account's",
        CANCELS,
        '"account": row.account,\n                "symbol"',
        '"account": "VENUE",\n                "symbol"',
    ),
    Bug("one more wrong code is allowed", HANDING_OVER, "if row.wrong_codes >= tries:", "if row.wrong_codes > tries:"),
    Bug("wrong codes are not counted up", HANDING_OVER, "wrong = row.wrong_codes + 1", "wrong = 1"),
    Bug(
        "the code or the paper is enough",
        HANDING_OVER,
        "if right_code and right_paper:",
        "if right_code or right_paper:",
    ),
    Bug(
        "a new code holds before it is approved",
        HANDING_OVER,
        "[load_out_no], new_code_hash=collectors",
        "[load_out_no], code_hash=collectors",
    ),
    Bug(
        "a new code leaves the sheet blocked",
        HANDING_OVER,
        '"new_code_hash": None, "wrong_codes": 0}',
        '"new_code_hash": None}',
    ),
    Bug(
        "a frozen vault hands over at the second signature",
        HANDING_OVER,
        "    await vault_freeze.check(connection, row.warehouse)\n    ids =",
        "    ids =",
    ),
    Bug(
        "a lot of another load-out is claimed about",
        CLAIMS,
        "if not chosen or not set(chosen) <= set(of_load_out):",
        "if not chosen:",
    ),
    Bug(
        "a new code replaces another person's",
        HANDING_OVER,
        "if row.new_code_hash is not None:\n        text",
        "if False:\n        text",
    ),
    Bug("a claim has no last day", CLAIMS, "if today > last:", "if today > last and not last:"),
    Bug(
        "a decided claim leaves its lots locked", CLAIMS, "        await locks.lift(connection, by, LOCK, number)\n", ""
    ),
)
