"""Bugs in the gateway's view: books, channels, accounts, orders, candles."""

from tests.planted_bugs.bug import Bug

BUGS = (
    Bug(
        "a buyer's best price is the lowest",
        "books.py",
        "price = prices[-1] if side == terms.BUY",
        "price = prices[0] if side == terms.BUY",
    ),
    Bug(
        "a stale level stays when it is empty",
        "books.py",
        "            del prices[bisect_left(prices, price)]\n",
        "            del prices[bisect_left(prices, price) - 1]\n",
    ),
    Bug(
        "a level that is as before is published",
        "books.py",
        "                    if now != before:\n                        changes.append((side",
        "                    if True:\n                        changes.append((side",
    ),
    Bug("the changes of a command are published again", "books.py", "                before_of.clear()\n", ""),
    Bug(
        "a checksum leaves out the level before",
        "books.py",
        "        if before:\n            difference ^= level_checksum(side, price, before)\n",
        "",
    ),
    Bug(
        "a checksum of orders leaves out the rank",
        "books.py",
        '{units.format_weight(quantity)}:{rank}"',
        '{units.format_weight(quantity)}:0"',
    ),
    Bug(
        "a refreshed iceberg keeps its place",
        "books.py",
        "        self.show(order, visible)\n        self._last_rank += 1\n        order.rank = self._last_rank\n",
        "        self.show(order, visible)\n",
    ),
    Bug(
        "the depth of a book begins at its worst level",
        "books.py",
        "reversed(prices) if side == terms.BUY else iter(prices)",
        "iter(prices) if side == terms.BUY else reversed(prices)",
    ),
    Bug(
        "a change of the best level's quantity is not one of the top",
        "books.py",
        "if price < best_price if side == terms.BUY else price > best_price:",
        "if price <= best_price if side == terms.BUY else price >= best_price:",
    ),
    Bug(
        "an update names itself as the one before",
        "channels.py",
        "message(self.name, sequence, sequence - 1, self._write(value))",
        "message(self.name, sequence, sequence, self._write(value))",
    ),
    Bug(
        "a resumed subscription gets the last message again",
        "channels.py",
        "first = max(sequence + 1, self.oldest)",
        "first = max(sequence, self.oldest)",
    ),
    Bug(
        "a subscription that is one message behind gets a snapshot",
        "channels.py",
        "self.oldest <= from_sequence + 1 <= self.sequence + 1",
        "self.oldest < from_sequence + 1 <= self.sequence",
    ),
    Bug(
        "a channel without subscribers loses its count",
        "channels.py",
        "                self._kept.clear()\n",
        "                self._kept.clear()\n                self.sequence -= 1\n",
    ),
    Bug("a checksum is one update behind", "market_data.py", "self._now ^ self._difference(changes)", "self._now"),
    Bug(
        "older checksums are those of the newer update",
        "market_data.py",
        "after ^ self._difference(newer.changes)",
        "after",
    ),
    Bug(
        "a trade leaves the maker in the book",
        "market_data.py",
        "        self._apply_fill(maker, event, event.maker_remaining)\n",
        "        self._apply_fill(maker, event, maker.remaining)\n",
    ),
    Bug(
        "a self-trade that is prevented reduces one order",
        "market_data.py",
        "        self._reduce(taker, event.quantity, event.taker_remaining)\n",
        "",
    ),
    Bug(
        "a replaced order stays at its old price",
        "market_data.py",
        "        else:\n            self.book.remove(order)\n        order.price = event.price",
        "        order.price = event.price",
    ),
    Bug(
        "the fee of a seller is the buyer's",
        "market_data.py",
        "event.buy_fee if order.side == terms.BUY else event.sell_fee",
        "event.buy_fee",
    ),
    Bug(
        "trades of buyer and seller change accounts",
        "accounts.py",
        "        yield event.buy_account, buy\n        yield event.sell_account, sell\n",
        "        yield event.buy_account, sell\n        yield event.sell_account, buy\n",
    ),
    Bug(
        "an order's owner is the one of the next",
        "accounts.py",
        "self._names[self._numbers[order_id - 1] // 2]",
        "self._names[self._numbers[order_id - 2] // 2]",
    ),
    Bug(
        "the other party's legs are shown",
        "accounts.py",
        '[leg for leg in out["legs"] if leg["account"] == self.name]',
        'list(out["legs"])',
    ),
    Bug(
        "reserved gold is available",
        "accounts.py",
        "available = holding.total - holding.reserved - locked",
        "available = holding.total - locked",
    ),
    Bug(
        "the maker's remaining quantity is the taker's",
        "orders.py",
        "trade.maker_remaining if as_maker else trade.taker_remaining",
        "trade.taker_remaining",
    ),
    Bug(
        "the fills of a taker go on with the maker's",
        "orders.py",
        "fill.maker_before if fill.trade.maker_order_id == order_id else fill.taker_before",
        "fill.maker_before",
    ),
    Bug("a stop order is open before its price", "orders.py", "OPEN if event.stop_price is None else PENDING", "OPEN"),
    Bug(
        "a missing event is passed over",
        "view.py",
        "if event.sequence != sequence + 1:",
        "if event.sequence <= sequence:",
    ),
    Bug(
        "an order rests before it has traded",
        "view.py",
        "        if order.status == OPEN:\n            self._incoming = order\n        account.publish(event)",
        "        if order.status == OPEN:\n"
        "            self.markets[order.symbol].enter(order)\n"
        "        account.publish(event)",
    ),
    Bug(
        "a filled order stays live",
        "view.py",
        "        if not event.maker_remaining:\n",
        "        if event.maker_remaining is None:\n",
    ),
    Bug(
        "open orders are dropped at the end of the day",
        "view.py",
        "self.orders.items() if order.live)",
        "self.orders.items() if not order.live)",
    ),
    Bug(
        "an answer comes before its events are in the view",
        "view.py",
        "                self.sequence = sequence\n                self.at = event.at\n",
        "                self.at = event.at\n",
    ),
    Bug("a candle's low follows every trade", "candles.py", "elif price < last.low:", "elif price < last.high:"),
    Bug(
        "a day's candle begins at midnight in Greenwich",
        "candles.py",
        "(at + CHINA_OFFSET_MS) % self._length",
        "at % self._length",
    ),
    Bug("a trade at a candle's end still belongs to it", "candles.py", "if at >= self._until:", "if at > self._until:"),
    Bug(
        "the newest of many names is not found",
        "tables.py",
        "for chunk in reversed(self._chunks):",
        "for chunk in self._chunks[:-1] or self._chunks:",
    ),
)
