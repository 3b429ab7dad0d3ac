"""The table of forbidden practices, built from the rules (docs/domain.md 5.1 to 5.4), each as requests that try it.

A row names the practice, the section it comes from, the regime under which it is tried, one request that could express
it, and the reason of its refusal. ``BAD_VALUE`` with a field: there is no such parameter. What no request can express
at all is in NOT_EXPRESSIBLE: words that no command, event, table, route or option of the product may have.
"""

from typing import Any, Final, NamedTuple

from goldx.protocol.terms import APPROVED, NEGOTIATED, WIND_DOWN


class Row(NamedTuple):
    """``params`` has A and AU for the account and the instrument of the trial, D for an account that holds nothing."""

    practice: str
    source: str
    regime: int
    method: str
    params: dict[str, Any]
    reason: str
    field: str = ""


ORDER: Final = {
    "account": "A",
    "client_order_id": "n",
    "symbol": "AU",
    "side": "buy",
    "type": "limit",
    "price": "600.00",
    "quantity": "1",
}
QUOTE: Final = {
    "account": "A",
    "quote_id": "n",
    "symbol": "AU",
    "bid_price": "599.00",
    "bid_quantity": "1",
    "ask_price": "601.00",
    "ask_quantity": "1",
}
DEAL: Final = {
    "account": "A",
    "client_deal_id": "n",
    "counter_account": "B",
    "symbol": "AU",
    "side": "buy",
    "quantity": "1",
    "price": "600.00",
    "expire_at": 253_402_300_799_999,
}
SZ26: Final = "5.4, notice of Shenzhen, 2026-02-13"
NO37: Final = "5.2, No. 37 (2012)"
NO38: Final = "5.1, No. 38 (2011)"
NO301: Final = "5.3, No. 301 (2011)"


def order(**changes: Any) -> dict[str, Any]:
    """Return the order of the trial with changes."""
    return ORDER | changes


RFQ: Final = {
    "account": "A",
    "client_rfq_id": "n",
    "symbol": "AU",
    "side": "buy",
    "quantity": "1",
    "expire_at": 253_402_300_799_999,
}


def rfq(**changes: Any) -> dict[str, Any]:
    """Return the request for quotes of the trial with changes."""
    return RFQ | changes


def deal(**changes: Any) -> dict[str, Any]:
    """Return the proposed deal of the trial with changes."""
    return DEAL | changes


ROWS: Final = (
    # Price-lock with margin, leverage
    Row(
        "a price is locked with a deposit",
        SZ26,
        APPROVED,
        "order.place",
        order(deposit="14.40"),
        "BAD_VALUE",
        "deposit",
    ),
    Row("an order on margin", SZ26, APPROVED, "order.place", order(margin_percent=3), "BAD_VALUE", "margin_percent"),
    Row("an order with leverage", SZ26, APPROVED, "order.place", order(leverage=40), "BAD_VALUE", "leverage"),
    Row("more is bought than is paid for", SZ26, APPROVED, "order.place", order(quantity="1700"), "INSUFFICIENT_CASH"),
    Row(
        "money is lent by a quote",
        SZ26,
        APPROVED,
        "quote.set",
        QUOTE | {"bid_quantity": "1700"},
        "INSUFFICIENT_CASH",
    ),
    Row("a deal with a deposit", SZ26, APPROVED, "deal.propose", deal(deposit="14.40"), "BAD_VALUE", "deposit"),
    Row("a deal on credit", SZ26, APPROVED, "deal.propose", deal(quantity="1700"), "INSUFFICIENT_CASH"),
    Row(
        "an instrument with a margin",
        SZ26,
        APPROVED,
        "instrument.define",
        {"symbol": "AU", "margin_percent": 3},
        "BAD_VALUE",
        "margin_percent",
    ),
    Row(
        "an account with a credit line",
        SZ26,
        APPROVED,
        "account.open",
        {"account": "N", "member": "FIRM-A", "credit": "1000.00"},
        "BAD_VALUE",
        "credit",
    ),
    Row(
        "a holding below zero",
        SZ26,
        APPROVED,
        "holding.adjust",
        {"account": "D", "asset": "AU", "amount": "-1", "reference": "n"},
        "INSUFFICIENT_GOLD",
    ),
    # Deferral
    Row("payment is deferred", SZ26, APPROVED, "order.place", order(settle_on="2027-01-04"), "BAD_VALUE", "settle_on"),
    Row("a deal for later", SZ26, APPROVED, "deal.propose", deal(settle_on="2027-01-04"), "BAD_VALUE", "settle_on"),
    Row("a position is rolled over", SZ26, APPROVED, "order.place", order(deferred=True), "BAD_VALUE", "deferred"),
    Row(
        "an instrument with a delivery month",
        SZ26,
        APPROVED,
        "instrument.define",
        {"symbol": "AU", "delivery_month": "2027-06"},
        "BAD_VALUE",
        "delivery_month",
    ),
    # Settlement of differences, title without metal
    Row(
        "gold is sold that nobody has",
        SZ26,
        APPROVED,
        "order.place",
        order(account="D", side="sell"),
        "INSUFFICIENT_GOLD",
    ),
    Row(
        "gold that nobody has is sold in a deal",
        SZ26,
        APPROVED,
        "deal.propose",
        deal(account="D", side="sell"),
        "INSUFFICIENT_GOLD",
    ),
    Row(
        "only the difference is settled",
        SZ26,
        APPROVED,
        "order.place",
        order(settlement="cash_difference"),
        "BAD_VALUE",
        "settlement",
    ),
    Row(
        "a difference is paid without gold",
        SZ26,
        APPROVED,
        "holding.settle",
        {"reference": "n", "legs": [{"account": "D", "asset": "CNY", "amount": "-5.00"}]},
        "INSUFFICIENT_CASH",
    ),
    # Guaranteed return, entrusted investment
    Row(
        "custody with a promised return",
        SZ26,
        APPROVED,
        "account.open",
        {"account": "N", "member": "FIRM-A", "guaranteed_return_percent": 8},
        "BAD_VALUE",
        "guaranteed_return_percent",
    ),
    Row(
        "a sale with a buy-back",
        SZ26,
        APPROVED,
        "order.place",
        order(buy_back_price="660.00"),
        "BAD_VALUE",
        "buy_back_price",
    ),
    Row("a firm trades another's account", SZ26, APPROVED, "order.place", order(account="B"), "UNKNOWN_ACCOUNT"),
    Row("an order on a mandate", SZ26, APPROVED, "order.place", order(on_behalf_of="B"), "BAD_VALUE", "on_behalf_of"),
    # No. 38: five trading days, 200 holders
    Row(
        "what was bought is sold within five trading days",
        NO38,
        APPROVED,
        "order.place",
        order(account="T", side="sell"),
        "RESALE_LOCKED",
    ),
    Row(
        "a holder more than there may be",
        NO38,
        APPROVED,
        "order.place",
        order(account="D", symbol="FEW"),
        "MAX_HOLDERS",
    ),
    Row(
        "what was bought is sold in a deal within five trading days",
        NO38,
        APPROVED,
        "deal.propose",
        deal(account="T", side="sell"),
        "RESALE_LOCKED",
    ),
    Row(
        "a deal makes a holder more than there may be",
        NO38,
        APPROVED,
        "deal.propose",
        deal(account="D", symbol="FEW"),
        "MAX_HOLDERS",
    ),
    # No. 38 and 37: centralised trading
    Row("an order book without approval", NO37, NEGOTIATED, "order.place", order(), "REGIME"),
    Row("market making without approval", NO37, NEGOTIATED, "quote.set", QUOTE, "REGIME"),
    Row(
        "continuous auction without approval",
        NO37,
        NEGOTIATED,
        "market.set_phase",
        {"symbol": "AU", "phase": "continuous"},
        "REGIME",
    ),
    Row(
        "call auction without approval",
        NO37,
        NEGOTIATED,
        "market.set_phase",
        {"symbol": "AU", "phase": "auction"},
        "REGIME",
    ),
    Row(
        "orders gathered without approval",
        NO37,
        NEGOTIATED,
        "market.set_phase",
        {"symbol": "AU", "phase": "pre_open"},
        "REGIME",
    ),
    Row(
        "the timetable opens without approval",
        NO37,
        NEGOTIATED,
        "timetable.step",
        {"symbol": "AU", "phase": "continuous", "planned_at": 1, "latest_at": 253_402_300_799_999},
        "REGIME",
    ),
    Row(
        "a sandbox without a document",
        NO37,
        NEGOTIATED,
        "venue.set_regime",
        {"regime": "SANDBOX"},
        "BAD_VALUE",
    ),
    # No. 301: nothing new while winding down
    Row("an order while winding down", NO301, WIND_DOWN, "order.place", order(), "REGIME"),
    Row("a purchase by a deal while winding down", NO301, WIND_DOWN, "deal.propose", deal(), "REGIME"),
    Row("an anonymous request without approval", NO37, NEGOTIATED, "rfq.create", rfq(anonymous=True), "REGIME"),
    Row("a request with a deposit", SZ26, APPROVED, "rfq.create", rfq(deposit="14.40"), "BAD_VALUE", "deposit"),
    Row("a request for later", SZ26, APPROVED, "rfq.create", rfq(settle_on="2027-01-04"), "BAD_VALUE", "settle_on"),
    Row(
        "a request makes a holder more than there may be",
        NO38,
        APPROVED,
        "rfq.create",
        rfq(account="D", symbol="FEW"),
        "MAX_HOLDERS",
    ),
    Row("a purchase by a request while winding down", NO301, WIND_DOWN, "rfq.create", rfq(), "REGIME"),
    Row(
        "a new client while winding down",
        NO301,
        WIND_DOWN,
        "account.open",
        {"account": "N", "member": "FIRM-A"},
        "REGIME",
    ),
    Row("a new class while winding down", NO301, WIND_DOWN, "instrument.define", {"symbol": "NEW"}, "REGIME"),
    Row(
        "a deposit of money while winding down",
        NO301,
        WIND_DOWN,
        "holding.adjust",
        {"account": "A", "asset": "CNY", "amount": "5.00", "reference": "n", "deposit": True},
        "REGIME",
    ),
    Row(
        "a deposit of gold while winding down",
        NO301,
        WIND_DOWN,
        "holding.adjust",
        {"account": "A", "asset": "AU", "amount": "1", "reference": "n", "deposit": True},
        "REGIME",
    ),
)

CLERK_ROWS: Final = (
    ("money is lent", SZ26, ("cash-in", "--account", "A", "--amount", "5", "--bank-reference", "n", "--loan")),
    ("custody with a promised return", SZ26, ("issue", "--guaranteed-return", "8")),
    ("a load-out is deferred", SZ26, ("load-out", "apply", "--defer-until", "2027-06-01")),
    ("a pledge is lent against", SZ26, ("pledge", "--leverage", "40")),
)
"""Options of a clerk's commands that would express a practice: (practice, source, words after ``goldx clerk``)."""

NOT_EXPRESSIBLE: Final = {
    "price-lock with margin": (SZ26, r"\b(margins?|collateral|maintenance|liquidat\w*|price lock)\b"),
    "leverage": (SZ26, r"\b(leverage|credit line|overdraft|borrow\w*|lend\w*|lent|loans?|short sell\w*)\b"),
    "deferral": (SZ26, r"\b(defer\w*|roll ?over|swap fee|open interest|delivery month|tenor|expiry month)\b"),
    "settlement of differences": (SZ26, r"\b(cash difference|close out|mark to market|variation)\b"),
    "guaranteed return": (SZ26, r"\b(guarantee\w*|promised|yield|interest|buy ?backs?|repurchase)\b"),
    "lease of gold": (SZ26, r"\b(lease rate|leased|gold lease)\b"),
    "entrusted investment": (SZ26, r"\b(entrust\w*|discretion\w*|managed account|copy trad\w*|signal)\b"),
    "sales by live stream": (SZ26, r"\b(live ?stream\w*|referral|downline)\b"),
    "standardised contracts": (NO38, r"\b(futures?|perpetual|strike|contract month)\b"),
}
"""By practice: its source, and the words that no name of the product may contain, whose parts a space divides."""

CLAIMS: Final = (SZ26, r"(上海黄金交易所|上金所)(综合|特别|普通)?会员|member of the Shanghai Gold Exchange|SGE member")
"""False claims of membership: the source, and what no text that the product prints may say."""
