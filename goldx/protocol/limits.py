"""The price limits of an instrument, as its terms and its reference price give them."""

from goldx.protocol.units import MAX_PRICE_FEN


def price_limits(
    tick: int, reference: int | None, percent: int | None, lower: int | None, upper: int | None
) -> tuple[int, int]:
    """Return the lowest and the highest price that is allowed, in fen per fine gram, rounded inward to the tick.

    ``lower`` and ``upper`` are fixed limits, which take precedence over ``percent`` of ``reference``.
    """
    if percent is not None and reference:
        if lower is None:
            lower = -(-reference * (100 - percent) // 100)
        if upper is None:
            upper = reference * (100 + percent) // 100
    low = max(tick, -(-(lower or 0) // tick) * tick)
    high = min(upper or MAX_PRICE_FEN, MAX_PRICE_FEN) // tick * tick
    return low, high
