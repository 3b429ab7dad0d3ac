"""The fixed vocabularies of the protocol: small integers inside, the protocol's words in JSON."""

from typing import Final

BUY: Final = 0
SELL: Final = 1
SIDES: Final = ("buy", "sell")

LIMIT: Final = 0
MARKET: Final = 1
ORDER_TYPES: Final = ("limit", "market")

GTC: Final = 0
DAY: Final = 1
IOC: Final = 2
FOK: Final = 3
GTD: Final = 4
TIMES_IN_FORCE: Final = ("GTC", "DAY", "IOC", "FOK", "GTD")

OUTLIVES: Final = "+"
"""Before the session of an order that outlives it, so that the key which placed the order stays known."""
EVERY: Final = "/*"
"""Behind a key's id: all that it has placed, in whatever session."""

CANCEL_TAKER: Final = 0
CANCEL_MAKER: Final = 1
CANCEL_BOTH: Final = 2
DECREMENT: Final = 3
SELF_TRADE_MODES: Final = ("cancel_taker", "cancel_maker", "cancel_both", "decrement")

CLOSED: Final = 0
PRE_OPEN: Final = 1
AUCTION: Final = 2
CONTINUOUS: Final = 3
HALTED: Final = 4
PHASES: Final = ("closed", "pre_open", "auction", "continuous", "halted")

MAKER_PRICE: Final = 0
MEDIAN_PRICE: Final = 1
PRICE_RULES: Final = ("maker", "median")

NEGOTIATED: Final = 0
SANDBOX: Final = 1
APPROVED: Final = 2
WIND_DOWN: Final = 3
REGIMES: Final = ("NEGOTIATED", "SANDBOX", "APPROVED", "WIND_DOWN")
"""The legal regimes of the venue (domain sheet 5.4)."""

ORDER_BOOK: Final = 0
CALL_AUCTION: Final = 1
ANONYMITY: Final = 2
MARKET_MAKING: Final = 3
NEGOTIATED_DEAL: Final = 4
DISCLOSED_REQUEST: Final = 5
PRICE_LIST: Final = 6
LOT_AUCTION: Final = 7
TRADING_MODES: Final = (
    "order_book",
    "call_auction",
    "anonymity",
    "market_making",
    "negotiated_deal",
    "disclosed_request",
    "price_list",
    "lot_auction",
)
"""The ways of trading; the first four are "centralised trading", which takes an approval (domain sheet 5.2)."""
LAST_CENTRALISED: Final = MARKET_MAKING

HOUSE: Final = 0
CLIENT: Final = 1
ACCOUNT_KINDS: Final = ("house", "client")

END_OF_DAY_RULES: Final = 5
"""The version of the rules for the end of a trading day that gateways send in ``MarketEndDay.rules``."""
END_OF_DAY_BY_PLAN: Final = 3
"""The rules of END_OF_DAY_RULES, where the plan of the timetable says that the trading day is over."""
END_OF_DAY_BY_TWO: Final = 4
"""The rules of END_OF_DAY_RULES, where the end of the trading day takes two persons in any case."""
LARGEST_REFERENCE_CHANGE_PERCENT: Final = 10
"""The largest change of a reference price that one person may make; a larger one takes a second person."""

MAX_QUOTE_LEVELS: Final = 10
"""The most levels of mass quotes that an account may have in an instrument."""
MAX_MASS_ENTRIES: Final = 50
"""The most entries of one ``quote.mass``."""
LONGEST_PROTECTION_WINDOW_MS: Final = 3_600_000
"""The longest time within which the trades of a group of quotes are added up."""

BOOK_TRADE: Final = 0
AUCTION_TRADE: Final = 1
DEAL_TRADE: Final = 2
RFQ_TRADE: Final = 3
TRADE_KINDS: Final = ("book", "auction", "deal", "rfq", "lot_auction")
"""How a trade came about.

In the continuous book, in the uncross of a call auction, by a negotiated deal, by a request for quotes.
"""
DEFAULT_DEAL_REPORT_MS: Final = 900_000
"""How long after it was agreed a deal may be reported where the instrument's terms do not say it."""
LONGEST_DEAL_MS: Final = 86_400_000
"""The longest time for reporting a deal, and for delaying its publication, that an instrument may have."""

MAX_NAMED_LOTS: Final = 50
"""The most lots that one deal names."""

DEFAULT_RFQ_GRACE_MS: Final = 5_000
"""How long a requester sees no quote where the request does not say it, so that the first quoter does not win."""
SHORTEST_RFQ_GRACE_MS: Final = 1_000
LONGEST_RFQ_GRACE_MS: Final = 60_000
RFQ_FIRM_MS: Final = 10_000
"""How long a quote is firm, from when its requester can see it: an answer by hand takes so long (domain sheet 7.2)."""
MAX_OPEN_REQUESTS: Final = 20
"""The most open requests of one member, over all its accounts."""
MAX_OPEN_RFQ_QUOTES: Final = 200
"""The most open quotes of one member in requests, over all its accounts."""

DEFAULT_BUST_WINDOW_MS: Final = 1_800_000
"""How long after a trade it may be annulled where the instrument's terms do not say it."""
LONGEST_BUST_WINDOW_MS: Final = 86_400_000

FORMS: Final = ("SCRAP_JEWEL", "KARAT_ALLOY", "DORE", "NONAPPROVED_BAR", "GRAIN")
"""Forms of gold an instrument may accept (domain sheet 3.1)."""
