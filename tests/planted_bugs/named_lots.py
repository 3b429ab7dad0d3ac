"""Bugs in deals of named lots inside the core: what it asks about the lots, and what it carries into the events."""

from tests.planted_bugs.bug import Bug

BUGS: tuple[Bug, ...] = (
    Bug(
        "the trade does not say which lots changed hands",
        "direct_trades.py",
        "(kind, lots) if lots else",
        "(kind,) if lots else",
    ),
    Bug(
        "the proposal does not say under which number its lots are kept",
        "deals.py",
        "persist or None, lots, reservation or None)",
        "persist or None, lots)",
    ),
    Bug(
        "the acceptance of a purchase does not say under which number its lots are kept",
        "deals.py",
        "state.emit(*accepted, reservation)",
        "state.emit(*accepted)",
    ),
    Bug(
        "named lots may weigh something else than the quantity",
        "named_lots.py",
        "    if fine != quantity or not",
        "    if not",
    ),
    Bug("lots that are not kept any more are taken", "named_lots.py", "state.now > until", "state.now > until + 1"),
    Bug(
        "a deal of other lots than those found is taken",
        "named_lots.py",
        "tuple(asked) != lots or len",
        "len(asked) != len(lots) or len",
    ),
    Bug("a lot is named twice", "named_lots.py", "len(set(lots)) < len(lots)", "not lots"),
    Bug(
        "a buyer binds the lots of another",
        "named_lots.py",
        "gives == (reservation == 0)",
        "gives and reservation == 0",
    ),
    Bug(
        "a purchase of named lots is accepted without keeping them",
        "deals.py",
        "    if not reason and gives_lots:\n",
        "    if not reason and gives_lots and found is not None:\n",
    ),
    Bug(
        "named lots change hands for nothing",
        "deals.py",
        "    if quantity > 0 and price * quantity < MG_PER_GRAM:\n",
        "    if quantity > 0 and price * quantity < 1:\n",
    ),
    Bug(
        "named lots have to weigh whole lots of the instrument",
        "deals.py",
        "    if quantity > instrument.max_quantity:\n",
        "    if quantity_refusal(instrument, quantity):\n",
    ),
    Bug(
        "a snapshot forgets the lots of an open deal",
        "snapshot_of_deals.py",
        "(*written, list(deal.lots)) if deal.lots else written",
        "written",
    ),
    Bug(
        "an annulment gives lots back that nobody keeps for it",
        "busts.py",
        "        if not reason:\n            reason, detail = named_lots",
        "        if reason:\n            reason, detail = named_lots",
    ),
    Bug(
        "a deal of grams has an empty list of lots",
        "direct_trades.py",
        "(kind, lots) if lots else (kind,)",
        "(kind, lots)",
    ),
)
