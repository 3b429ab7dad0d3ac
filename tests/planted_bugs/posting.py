"""Bugs in the postings of events, and in the writer of the ledger."""

from tests.planted_bugs.bug import Bug

POSTING = "ledger/posting.py"
ROWS = "ledger/rows.py"
FRAMES = "ledger/event_frames.py"
WRITER = "service/writer.py"
PROPOSALS = "ledger/market_proposals.py"
TRIGGER = "migrations/versions/0063_entries_are_checked_in_one_pass.py"

BUGS = (
    Bug(
        "the buyer's fee is given to the buyer",
        POSTING,
        "CASH), -event.amount - event.buy_fee),",
        "CASH), -event.amount + event.buy_fee),",
    ),
    Bug("the seller pays no fee", POSTING, "CASH), event.amount - event.sell_fee),", "CASH), event.amount),"),
    Bug(
        "fees are earned from the buyer alone",
        POSTING,
        "FEES, event.buy_fee + event.sell_fee),",
        "FEES, event.buy_fee),",
    ),
    Bug(
        "the gold of a trade goes to the seller",
        POSTING,
        """(4, AccountKey(MEMBER, seller, symbol), -event.quantity),
        (5, AccountKey(MEMBER, buyer, symbol), event.quantity),""",
        """(4, AccountKey(MEMBER, buyer, symbol), -event.quantity),
        (5, AccountKey(MEMBER, seller, symbol), event.quantity),""",
    ),
    Bug("a line of nothing is posted", POSTING, "return [line for line in lines if line[2]]", "return list(lines)"),
    Bug(
        "the buyer's fee is given to the buyer at once",
        ROWS,
        "buy_fee + sell_fee, -amount - buy_fee",
        "buy_fee + sell_fee, -amount + buy_fee",
    ),
    Bug("a trade without fees has a line of fees", ROWS, "if not got or not fees or", "if not got or"),
    Bug(
        "the hash of a trade does not hold what was paid",
        ROWS,
        "1:{buyer_cash}:{paid},",
        "1:{buyer_cash}:{amount},",
    ),
    Bug(
        "trades after the last movement are left out",
        ROWS,
        "        await self._add_all(batch.trades[begin:])\n",
        "",
    ),
    Bug(
        "trades come after the movements of their batch",
        ROWS,
        "end = bisect_left(batch.trades, sequence, key=_sequence_of)",
        "end = begin",
    ),
    Bug("the account of fees is not opened", ROWS, "            keys.add(FEES)\n", "            keys.discard(FEES)\n"),
    Bug(
        "the gold that was bought is not in memory",
        "ledger/own_stock.py",
        "            buyer.total += quantity\n",
        "",
    ),
    Bug(
        "a sale takes own stock first",
        "ledger/own_stock.py",
        "sold = max(self.own - max(self.total, 0), min(self.own, deposited))",
        "sold = self.own",
    ),
    Bug(
        "what was made of a batch that failed stays in memory",
        WRITER,
        "        except BaseException:\n            self._forget()\n",
        "        except BaseException:\n",
    ),
    Bug(
        "what was made ready is posted after another writer",
        WRITER,
        "            self._forget()\n            ready = None\n",
        "            self._forget()\n",
    ),
    Bug(
        "rows are made ready before those of the batch before",
        WRITER,
        "        while self._made < after:\n",
        "        while self._made < 0:\n",
    ),
    Bug(
        "movements of money are made ready without their documents",
        WRITER,
        "len(sifted.batches) > 1 or batch.moving or batch.days",
        "len(sifted.batches) > 1 or batch.days",
    ),
    Bug(
        "the gold of an annulled trade stays with its buyer",
        POSTING,
        """(AccountKey(MEMBER, seller, symbol), event.quantity),
        (AccountKey(MEMBER, buyer, symbol), -event.quantity),""",
        """(AccountKey(MEMBER, buyer, symbol), event.quantity),
        (AccountKey(MEMBER, seller, symbol), -event.quantity),""",
    ),
    Bug(
        "the fees of an annulled trade are kept",
        POSTING,
        """event.amount + event.buy_fee),
        (AccountKey(MEMBER, seller, CASH), event.sell_fee - event.amount),
        (FEES, -event.buy_fee - event.sell_fee),""",
        """event.amount),
        (AccountKey(MEMBER, seller, CASH), -event.amount),""",
    ),
    Bug(
        "an annulled trade sets the last price",
        "ledger/busts.py",
        "== symbol, standing(), of_orders())",
        "== symbol, of_orders())",
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
        "                if sequence in annulled and amount > 0:\n",
        "                if sequence < 0:\n",
    ),
    Bug(
        "the first price of a batch is its last price",
        POSTING,
        "for event in self.trades if event.kind is None]))",
        "for event in reversed(self.trades) if event.kind is None]))",
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
        "        batch.references.pop(event.symbol, None)\n",
        "",
    ),
    Bug(
        "a gap after what is posted is passed over",
        POSTING,
        "            raise SequenceGap(wanted, event.sequence)\n",
        "            break\n",
    ),
    Bug(
        "the time of the newest price stands for that of the last event",
        WRITER,
        '"at": sifted.last.at}',
        '"at": sifted.batches[-1].trades[-1].at if sifted.batches[-1].trades else 0}',
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
    Bug("accounts of a batch that failed are still known", WRITER, "        self._numbers.clear()\n", ""),
    Bug("the sides of a batch that failed are still known", ROWS, "        self.sides.clear()\n", ""),
    Bug(
        "a side is known by its account in money alone",
        ROWS,
        "if money is None or metal is None:",
        "if money is None:",
    ),
    Bug(
        "the first holding in a frame counts as the newest",
        POSTING,
        "changed = [event for event in events if type(event) is HoldingChanged]",
        "changed = [event for event in reversed(events) if type(event) is HoldingChanged]",
    ),
    Bug(
        "trades after an event that comes seldom are left out",
        POSTING,
        "                batch.add([*some])\n                continue\n",
        "                continue\n",
    ),
    Bug(
        "a kind of event is decoded by its number and time alone",
        FRAMES,
        "if kind in WRITTEN:",
        "if kind.event == 'trade':",
    ),
    Bug("one database settles two shards", WRITER, "if len(rows) > 1:", "if len(rows) > 2:"),
    Bug("what is not to be withdrawn is what is locked", WRITER, "h.unwithdrawable or 0", "h.locked or 0"),
    Bug(
        "a holding stays as it was first published",
        "base/bulk.py",
        "DO UPDATE SET {news}",
        "DO NOTHING",
    ),
    Bug(
        "last and reference prices change places",
        WRITER,
        '"reference": references, "last": prices}',
        '"reference": prices, "last": references}',
    ),
    Bug(
        "a confirmed proposal is still listed",
        PROPOSALS,
        "event if isinstance(event, PROPOSED) else None",
        "event if isinstance(event, PROPOSED) else changes.get(key_of(event))",
    ),
    Bug("what operators have proposed outlives the day", PROPOSALS, "    if day_ended:\n", "    if False:\n"),
    Bug(
        "terms are shown as anybody has sent them",
        PROPOSALS,
        "query.where(columns.actor == row.proposed_by)",
        "query.where(columns.actor != row.proposed_by)",
    ),
    Bug(
        "an entry balances if all its assets together do",
        TRIGGER,
        """SELECT n.sequence, a.asset, sum(n.amount) AS amount
                FROM new_lines n LEFT JOIN ledger_account a USING (account_id) GROUP BY n.sequence, a.asset""",
        """SELECT n.sequence, min(a.asset) AS asset, sum(n.amount) AS amount
                FROM new_lines n LEFT JOIN ledger_account a USING (account_id) GROUP BY n.sequence""",
    ),
    Bug("an entry balances if one of its assets does", TRIGGER, "bool_or(amount <> 0)", "bool_and(amount <> 0)"),
    Bug(
        "an entry does not have to balance", TRIGGER, "IF wrong IS NOT NULL THEN", "IF wrong IS NOT NULL AND false THEN"
    ),
    Bug("lines of an unknown account are left out", TRIGGER, "LEFT JOIN", "JOIN"),
    Bug("an unknown account has no balance", TRIGGER, "IF unknown THEN", "IF unknown AND false THEN"),
    Bug(
        "a line is added to an entry that is committed",
        TRIGGER,
        " AND xmin = pg_current_xact_id()::xid",
        "",
    ),
    Bug("a line has an entry if another one has", TRIGGER, "IF present <> wanted THEN", "IF present = 0 THEN"),
    Bug(
        "a balance moves by one line of a statement",
        TRIGGER,
        "SELECT account_id, sum(amount) AS amount FROM new_lines",
        "SELECT account_id, max(amount) AS amount FROM new_lines",
    ),
    Bug(
        "a balance moves by no more than one line can hold",
        TRIGGER,
        "SELECT account_id, sum(amount) AS amount FROM new_lines",
        "SELECT account_id, sum(amount)::bigint AS amount FROM new_lines",
    ),
    Bug(
        "what comes next is read before the rows of a batch are sent",
        WRITER,
        "            self._sending.clear()\n",
        "            self._sending.set()\n",
    ),
    Bug(
        "nothing is read any more after a batch that another writer has posted",
        WRITER,
        "        finally:\n            self._sending.set()\n",
        "",
    ),
)
