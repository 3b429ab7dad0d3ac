"""Small rules of the brute-force model: fees, what an order could use, when prices meet, which days are possible."""

from datetime import date, datetime, timedelta, timezone

from goldx.protocol import terms, units
from tests.amounts import money_of
from tests.matching.core.model_parts import Instrument, Order


def fee_after(residue: int, amount: int, basis_points: int) -> tuple[int, int]:
    """Return fee (fen) and new residue for one more fill: an order's fees add up to the rounded sum."""
    exact = residue + amount * basis_points
    fee = (2 * exact + units.BASIS_POINTS) // (2 * units.BASIS_POINTS)
    return fee, exact - fee * units.BASIS_POINTS


def could_use(order: Order, instrument: Instrument) -> tuple[str, int]:
    """Return asset and amount that an open order could still use: exactly this has to be reserved for it."""
    if order.side == terms.SELL:
        return order.symbol, order.remaining
    if order.price is None:
        return units.CASH, 0
    amount = money_of(order.price, order.remaining)
    highest = max(instrument.terms.maker_fee_bp, instrument.terms.taker_fee_bp)
    return units.CASH, amount + fee_after(order.fee_residue, amount, highest)[0]


def crosses(side: int, limit: int, price: int) -> bool:
    return limit >= price if side == terms.BUY else limit <= price


def is_reached(order: Order, price: int) -> bool:
    assert order.stop_price is not None
    return price >= order.stop_price if order.side == terms.BUY else price <= order.stop_price


def outside_band(instrument: Instrument, centre: int | None, price: int) -> bool:
    """Return whether a price is outside the dynamic band around the price before the sweep."""
    percent = instrument.terms.dynamic_band_percent
    return percent is not None and centre is not None and abs(price - centre) * 100 > centre * percent


def in_china(at: int) -> date:
    """Return the date in China of a time in ms."""
    return datetime.fromtimestamp(at / 1_000, timezone(timedelta(hours=8))).date()


def is_ahead(at: int, trading_day: str) -> bool:
    """Return whether a trading day of the next thirty days has not begun."""
    return trading_day in [(in_china(at) + timedelta(ahead)).isoformat() for ahead in range(1, 31)]


def possible_days(at: int, trading_day: str, rules: int) -> list[str]:
    """Return the weekdays of the next thirty days in China that come after the present trading day."""
    days = [in_china(at) + timedelta(ahead) for ahead in range(31)]
    texts = [day.isoformat() for day in (days if rules >= 3 else days[:-1])]
    present = trading_day if trading_day in texts else ""
    return [day.isoformat() for day in days if day.isoweekday() < 6 and day.isoformat() > present]
