"""Bugs in the core that show only with large numbers or rare amounts of money; client ids, orders, terms."""

from tests.planted_bugs.bug import Bug

IDS = "ids.py"
INSTRUMENT = "instrument.py"

BUGS = (
    # Thousands
    Bug(
        "live expiries are forgotten with a thousand dead ones",
        "state.py",
        "        return number - DEALS in self.deals if number >= DEALS else number in self.orders\n",
        "        return number - DEALS in self.deals if number >= DEALS else False\n",
    ),
    Bug(
        "the end of an interruption is forgotten with a thousand dead expiries",
        "state.py",
        "        if number == NO_ORDER:\n            return True\n",
        "        if number == NO_ORDER:\n            return False\n",
    ),
    Bug(
        "the near prices are thought to be all when they have come back",
        "book.py",
        "                self.all_near = not self.far\n            self.best",
        "                self.all_near = True\n            self.best",
    ),
    Bug(
        "the near prices are thought to be all when they never were",
        "book.py",
        "            self.all_near = False\n",
        "            pass\n",
    ),
    # Client ids
    Bug(
        "an id behind the first ones is not kept",
        IDS,
        "        return parts[hash(client_id) % PART_COUNT].setdefault(client_id, number)\n",
        "        return parts[hash(client_id) % PART_COUNT].get(client_id, number)\n",
    ),
    Bug(
        "the first ids are free again when there are many",
        IDS,
        "        holder = first.get(client_id, 0)\n        if holder:\n            return holder\n        parts",
        "        parts",
    ),
    Bug(
        "an id behind the first ones is not found",
        IDS,
        "        return parts[hash(client_id) % PART_COUNT].get(client_id, 0)\n",
        "        return 0\n",
    ),
    Bug("ids are listed as their parts hold them", IDS, "        found.sort()\n", ""),
    Bug(
        "only the first ids are counted",
        IDS,
        "        return len(self.first) + sum([len(part) for part in self.parts])\n",
        "        return len(self.first)\n",
    ),
    Bug(
        "client ids are free again when their day has ended",
        "trading_day.py",
        "        if (keep_a_day and name not in older) or state",
        "        if state",
    ),
    Bug(
        "client ids are taken for ever",
        "trading_day.py",
        "        if (keep_a_day and name not in older) or state",
        "        if keep_a_day or state",
    ),
    Bug(
        "journals of older rules keep client ids for two days",
        "trading_day.py",
        "keep_a_day=rules > 0)",
        "keep_a_day=True)",
    ),
    Bug(
        "a snapshot forgets which client ids are of the day before",
        "snapshot.py",
        "    account.older_ids = set(parts.older_ids)\n",
        "",
    ),
    # Orders
    Bug("an iceberg shows all of itself", "orders.py", "            return special.shown\n", "            pass\n"),
    Bug(
        "a plain order's own quantity is cancelled in its way",
        "orders.py",
        "        return terms.CANCEL_TAKER if self.special is None else self.special.stp\n",
        "        return terms.CANCEL_MAKER if self.special is None else self.special.stp\n",
    ),
    # Terms of an instrument
    Bug(
        "the lower limit of a percentage is rounded outward",
        INSTRUMENT,
        "                lower = -(-reference * (100 - percent) // 100)\n",
        "                lower = reference * (100 - percent) // 100\n",
    ),
    Bug(
        "the upper limit of a percentage is rounded outward",
        INSTRUMENT,
        "                upper = reference * (100 + percent) // 100\n",
        "                upper = -(-reference * (100 + percent) // 100)\n",
    ),
    Bug(
        "the lower limit is rounded outward to the tick",
        INSTRUMENT,
        "-(-(lower or 0) // tick) * tick)",
        "(lower or 0) // tick * tick)",
    ),
    Bug(
        "the upper limit is not rounded to the tick",
        INSTRUMENT,
        "MAX_PRICE_FEN) // tick * tick\n",
        "MAX_PRICE_FEN)\n",
    ),
    Bug(
        "a percentage wins over an absolute lower limit",
        INSTRUMENT,
        "            if lower is None:\n",
        "            if percent:\n",
    ),
    Bug(
        "the limits stay when the reference moves",
        "listing.py",
        "        instrument.set_reference(price)\n        if",
        "        instrument.reference = price\n        if",
    ),
    Bug(
        "the highest fee is the taker's",
        INSTRUMENT,
        "max(self.maker_fee, self.taker_fee)",
        "self.taker_fee",
    ),
    Bug(
        "pending stops are no open orders",
        INSTRUMENT,
        "self.asks.levels or self.pending_stops)",
        "self.asks.levels)",
    ),
    # Money that goes out
    Bug(
        "each leg of a settlement is checked by itself",
        "adjustments.py",
        "        sums[name, asset] = sums.get((name, asset), 0) + amount\n",
        "        sums[name, asset] = amount\n",
    ),
    Bug(
        "legs of all accounts are added up",
        "adjustments.py",
        "        sums[name, asset] = sums.get((name, asset), 0) + amount\n",
        "        sums[name, asset] = sum(leg[2] for leg in legs if leg[1] == asset)\n",
    ),
    Bug(
        "proceeds that are held back may be withdrawn",
        "holdings.py",
        "        free = self.total - self.locked - self.reserved - self.unwithdrawable\n",
        "        free = self.total - self.locked - self.reserved\n",
    ),
    Bug(
        "locked gold may be withdrawn",
        "holdings.py",
        "        free = self.total - self.locked - self.reserved - self.unwithdrawable\n",
        "        free = self.total - self.reserved - self.unwithdrawable\n",
    ),
    Bug(
        "what may be withdrawn is below zero",
        "holdings.py",
        "        return free if free > 0 else 0\n",
        "        return free\n",
    ),
    Bug(
        "proceeds stay held back for ever",
        "holdings.py",
        "        changed = self.unwithdrawable > 0\n        self.unwithdrawable = 0\n",
        "        changed = self.unwithdrawable > 0\n",
    ),
    Bug(
        "a total has no bound",
        "adjustments.py",
        "        if balance.total + amount > MAX_TOTAL:\n",
        "        if amount > MAX_TOTAL:\n",
    ),
)
