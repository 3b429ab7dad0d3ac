"""Named lots in deals: what the core asks of the numbers that a gateway has found in the register.

Gold of a class is fungible in the core, so that it reserves and moves grams, and only carries the numbers of receipts
from the command into the events. Which lots they are, whose, and whether anything binds them, the register knows alone:
the gateway asks it, and settlement moves the title. What the core can know, it demands: that the gateway has asked
about these very lots, that their fine weight is the quantity, and that the command comes while they are kept for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldx.protocol.details import write_detail
from goldx.protocol.units import MAX_WEIGHT_MG
from matching.core.state import State


def refusal(
    state: State, lots: tuple[int, ...], quantity: int, found: Sequence[Any] | None, *, gives: bool
) -> tuple[str, str]:
    """Return (reason, detail) why named lots cannot change hands for a quantity (fine mg), or two empty texts.

    ``found`` is the plain form of ``LotsFound``. ``gives``: whether it is the sender of the command that gives them.
    """
    if found is None:
        return "BAD_VALUE", write_detail("lots", "lots that the gateway has found in the register")
    asked, fine, reservation, until = found
    if tuple(asked) != lots or len(set(lots)) < len(lots) or gives == (reservation == 0):
        return "BAD_VALUE", write_detail("lots", "the lots that the gateway has found in the register")
    if fine != quantity or not 0 < quantity <= MAX_WEIGHT_MG:
        return "BAD_QUANTITY", write_detail("quantity", f"{fine} mg, the fine weight of the named lots")
    if state.now > until:
        return "TOO_LATE", write_detail("lots", f"lots that are kept for the command; these were until {until}")
    return "", ""
