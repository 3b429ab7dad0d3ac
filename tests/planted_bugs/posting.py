"""Bugs in the postings of events, and in the writer of the ledger."""

from tests.planted_bugs.bug import Bug

POSTING = "ledger/posting.py"
WRITER = "service/writer.py"

BUGS = (
    Bug("the buyer's fee is given to the buyer", POSTING, "-amount - buy_fee))", "-amount + buy_fee))"),
    Bug("the seller pays no fee", POSTING, "CASH), amount - sell_fee))", "CASH), amount))"),
    Bug("fees are earned from the buyer alone", POSTING, "FEES, buy_fee + sell_fee))", "FEES, buy_fee))"),
    Bug("a fee of the seller alone is not posted", POSTING, "if buy_fee or sell_fee:", "if buy_fee:"),
    Bug(
        "the gold of a trade goes to the seller",
        POSTING,
        """member_account(seller, symbol), -quantity))
    lines.append((sequence, 5, member_account(buyer, symbol), quantity))""",
        """member_account(buyer, symbol), -quantity))
    lines.append((sequence, 5, member_account(seller, symbol), quantity))""",
    ),
    Bug(
        "the gold of an annulled trade stays with its buyer",
        POSTING,
        """(member_account(seller, symbol), event.quantity),
        (member_account(buyer, symbol), -event.quantity),""",
        """(member_account(buyer, symbol), event.quantity),
        (member_account(seller, symbol), -event.quantity),""",
    ),
    Bug(
        "the fees of an annulled trade are kept",
        POSTING,
        """event.amount + event.buy_fee),
        (member_account(seller, CASH), event.sell_fee - event.amount),
        (FEES, -event.buy_fee - event.sell_fee),""",
        """event.amount),
        (member_account(seller, CASH), -event.amount),""",
    ),
    Bug(
        "an annulled trade sets the last price",
        "ledger/busts.py",
        "== symbol, standing())",
        "== symbol)",
    ),
    Bug(
        "an annulment with other terms is posted",
        "ledger/busts.py",
        "if posted is None or any(",
        "if posted is None or all(",
    ),
    Bug(
        "own stock that was sold comes back as bought title",
        "ledger/own_stock.py",
        " or (kind == TRADE_BUST and amount > 0):",
        ":",
    ),
    Bug(
        "own stock comes back only where the sale was posted before",
        "ledger/own_stock.py",
        "            if sequence in annulled and amount > 0:\n",
        "            if sequence < 0:\n",
    ),
    Bug(
        "the first price of a batch is its last price",
        POSTING,
        "batch.last_prices[symbol] = event.price",
        "batch.last_prices.setdefault(symbol, event.price)",
    ),
    Bug(
        "a movement with other legs than its document's is taken for it",
        POSTING,
        "item.legs == legs and item.reference not in closed",
        "item.reference not in closed",
    ),
    Bug(
        "a document is posted twice under a repeated reference",
        POSTING,
        "        closed.add(item.reference)\n        batch.done",
        "        batch.done",
    ),
    Bug(
        "a document that is closed is posted again",
        POSTING,
        "item.legs == legs and item.reference not in closed",
        "item.legs == legs",
    ),
    Bug(
        "only the last leg of an asset has its counter-entry",
        POSTING,
        "contra[asset] -= amount",
        "contra[asset] = -amount",
    ),
    Bug(
        "gold is posted against the bank",
        POSTING,
        "movement.cash_against if asset == CASH else movement.gold_against",
        "movement.cash_against",
    ),
    Bug(
        "what comes by no document is posted as that of a document",
        POSTING,
        "_against(item.kind if item and known else None, asset)",
        "_against(item.kind if item else None, asset)",
    ),
    Bug(
        "a late refusal undoes a document that is done",
        POSTING,
        "if item is not None and item.reference not in closed:",
        "if item is not None:",
    ),
    Bug(
        "documents of several legs are not looked up",
        POSTING,
        "isinstance(event, HoldingAdjusted | HoldingSettled):",
        "isinstance(event, HoldingAdjusted):",
    ),
    Bug(
        "a stale reference price outlives a definition",
        POSTING,
        "            batch.references.pop(event.symbol, None)\n",
        "",
    ),
    Bug("the last event posted is posted again", WRITER, "if e.sequence > reached]", "if e.sequence >= reached]"),
    Bug(
        "a gap after what is posted is passed over",
        WRITER,
        "enumerate(events, reached + 1)",
        "enumerate(events, events[0].sequence)",
    ),
    Bug(
        "the time of the first event stands for the last",
        WRITER,
        "sequence=last.sequence, at=last.at",
        "sequence=last.sequence, at=events[0].at",
    ),
    Bug(
        "a stream of other times is taken for its own",
        WRITER,
        "event.sequence == sequence and event.at != at",
        "event.sequence != sequence and event.at != at",
    ),
    Bug(
        "a stream that ends early is taken for its own",
        WRITER,
        "        if not frames:\n            raise StreamBehind",
        "        if frames and not frames[0].outcomes:\n            raise StreamBehind",
    ),
    Bug("accounts of a batch that failed are still known", WRITER, "            self._ids.clear()\n", ""),
    Bug("one database settles two shards", WRITER, "if len(rows) > 1:", "if len(rows) > 2:"),
    Bug("what is not to be withdrawn is what is locked", WRITER, "h.unwithdrawable or 0", "h.locked or 0"),
    Bug(
        "a holding stays as it was first published",
        WRITER,
        'on_conflict_do_update(index_elements=["account", "asset"], set_=news)',
        "on_conflict_do_nothing()",
    ),
    Bug(
        "last and reference prices change places",
        WRITER,
        '((batch.references, "reference_price"), (batch.last_prices, "last_price"))',
        '((batch.references, "last_price"), (batch.last_prices, "reference_price"))',
    ),
)
