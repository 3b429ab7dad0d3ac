"""The reasons for which the exchange refuses a request, and those for which an order is cancelled.

Programs read the words; a text for people stands beside each. docs/protocol.md shows both tables.
"""

from typing import Final, NamedTuple


class Reason(NamedTuple):
    """``text`` is for people. ``http_status`` is the status of the same refusal over REST."""

    text: str
    http_status: int = 409


REASONS: Final[dict[str, Reason]] = {
    "UNKNOWN_SYMBOL": Reason("there is no such instrument", 404),
    "UNKNOWN_ACCOUNT": Reason("there is no such account", 404),
    "UNKNOWN_ORDER": Reason("there is no such open order of this account", 404),
    "UNKNOWN_DEAL": Reason("there is no such open proposal of a deal that this account may answer or take back", 404),
    "UNKNOWN_LOT": Reason("there is no such live receipt of the instrument in the name of the seller", 404),
    "UNKNOWN_RFQ": Reason("there is no such open request of this account, or for it to quote", 404),
    "UNKNOWN_TRADE": Reason("there is no such trade of this trading day", 404),
    "UNKNOWN_NOTICE": Reason("there is no such notice, or the member need not acknowledge it (any more)", 404),
    "UNKNOWN_MEMBER": Reason("there is no such member"),
    "NOT_PERMITTED": Reason("not logged on, or the key may not do this", 403),
    "PROTOCOL": Reason("the client needs a newer version of the protocol than this gateway has"),
    "NOT_ELIGIBLE": Reason("the account may not trade this instrument"),
    "DUPLICATE_ID": Reason("the id was used before; data holds what came of it"),
    "BAD_PRICE": Reason("the price is missing, not allowed here, or not a multiple of the tick"),
    "BAD_QUANTITY": Reason("the quantity is not a multiple of the lot, or more than allowed"),
    "BAD_VALUE": Reason("the parameters do not go together"),
    "PRICE_LIMIT": Reason("the price is beyond the price limits"),
    "PHASE": Reason("not in this phase of the market"),
    "MARKET_CLOSED": Reason("the market is closed"),
    "HALTED": Reason("trading is halted"),
    "DAY_WAITS": Reason("the trading day may not open yet"),
    "INSUFFICIENT_CASH": Reason("the cash available does not cover it"),
    "INSUFFICIENT_GOLD": Reason("the gold available does not cover it"),
    "WOULD_TAKE": Reason("a post-only order would take"),
    "CANNOT_FILL": Reason("it cannot be filled whole now"),
    "SELF_TRADE": Reason("it would trade with an order of the same owner"),
    "LOT_BOUND": Reason("a named lot is pledged, held, locked, in a load-out, or in another deal"),
    "RESALE_LOCKED": Reason("gold bought so recently may not be sold yet"),
    "REGIME": Reason("the legal regime of the venue does not allow it; the text says what would be needed"),
    "MAX_HOLDERS": Reason("it would make one holder more than the instrument may have"),
    "MEMBER_LIMIT": Reason("it would pass a limit that the venue has set for the member; the text says which"),
    "CLAIM": Reason("the account owes the venue money; until that is paid it may sell and cancel, and not buy"),
    "TOO_MANY_OPEN": Reason("the member has as many open requests, or quotes in requests, as it may have"),
    "FIRM": Reason("the quote is still firm: it may be improved, and neither withdrawn nor worsened"),
    "PROTECTION": Reason("a limit of this group of quotes was reached; quote.reset_protection lets it trade again"),
    "NO_CANCEL_ON_DISCONNECT": Reason("mass quotes need cancel on disconnect, which this session has switched off"),
    "KEY_REUSED": Reason("the Idempotency-Key was given with another request before"),
    "KEY_UNANSWERED": Reason("the first request under this Idempotency-Key has no answer"),
    "RATE_LIMITED": Reason("too many requests in this session; retry_after_ms says when the next is allowed", 429),
    "KILLED": Reason("the member is killed"),
    "RETIRED": Reason("the venue has taken it out of use"),
    "BUSTED": Reason("the trade has been annulled already"),
    "TOO_LATE": Reason("the time given has passed"),
    "TOO_EARLY": Reason("the time given has not come yet"),
    "STEP_TAKEN": Reason("this step of the timetable, or a later one, was taken"),
    "HELD": Reason("an operator holds the timetable of this instrument"),
    "CANNOT_RESUME": Reason("the channel has not reached this sequence, or not in this epoch; data says where it is"),
    "UNAVAILABLE": Reason("it cannot be taken now and was not placed; retry_after_ms says when to ask again", 503),
}
"""Why the exchange refuses: the ``reason`` of a refusal, of ``order.rejected`` and of ``command.rejected``."""

CANCEL_REASONS: Final[dict[str, str]] = {
    "USER": "its account cancelled it",
    "IOC": "what an IOC order could not trade at once",
    "FOK": "a triggered FOK stop order could not be filled whole",
    "MARKET": "what a market order could not trade",
    "SELF_TRADE": "it met an order of the same owner",
    "EXPIRED": "its day or its expire_at has passed",
    "KILL": "the member was killed",
    "HALT": "a party of the proposed deal, of the request or of the quote was halted",
    "DECLINED": "the other party declined the proposed deal, or took back its request for quotes",
    "TRADED_AWAY": "the request for quotes was accepted without this quote",
    "PHASE": "the market left the phase in which it could trade",
    "DISCONNECT": "the session that placed it ended, or its timer ran out",
    "REPLACED": "a newer quote, or a lower total, took its place",
    "REGIME": "the legal regime changed or ended, or the next trade was beyond its caps",
    "MEMBER_LIMIT": "a stop would pass a limit of its member as it triggers; `detail` says which",
    "CLAIM": "its account owes the venue money, and may not buy until that is paid",
    "PROTECTION": "its group of quotes has reached a limit; `detail` names the group",
    "VENUE": "the venue cancelled it; `detail` says why",
}
"""Why an order ended without being filled: the ``reason`` of ``order.cancelled``.

It is also that of ``deal.ended``, of ``rfq.ended`` and of ``rfq.quote_ended``.
"""


def describe(reason: str) -> Reason:
    """Return the row of a reason of refusal. A word that is not in the table is its own text."""
    return REASONS.get(reason) or Reason(reason)
