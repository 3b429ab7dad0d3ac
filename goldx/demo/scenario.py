"""The scenario of the demonstration: the venue's staff, its warehouse, the member firms, and two grade classes."""

import hashlib
from typing import Any, Final, NamedTuple


class Firm(NamedTuple):
    """A member firm, its trading accounts with what each pays in (CNY), and the kind of program that trades them.

    ``announced``: a clerk records its money before the bank's statement has it; else the statement is the first.
    """

    code: str
    name: str
    name_zh: str
    kind: str
    strategy: str
    cash: dict[str, str]
    announced: bool = True


class Person(NamedTuple):
    """One of the venue's staff, by function."""

    code: str
    title: str
    permissions: str


OPERATOR: Final = Person("operator-1", "Market operations", "operate,supervise")
CLERK: Final = Person("clerk-1", "Settlement desk, first clerk", "settle")
SECOND_CLERK: Final = Person("clerk-2", "Settlement desk, second clerk", "settle,supervise")
RISK: Final = Person("risk-1", "Risk control", "operate,supervise")
WAREHOUSE_KEEPER: Final = Person("warehouse-1", "Warehouse keeper", "warehouse")
STAFF: Final = (OPERATOR, CLERK, SECOND_CLERK, RISK, WAREHOUSE_KEEPER)
SIGNERS: Final = ((CLERK, "settlement"), (WAREHOUSE_KEEPER, "warehouse"), (RISK, "risk"))
"""The people who sign the closed day, each in a capacity."""

VENUE: Final = Firm("VENUE", "The venue itself", "交易所", "house", "", {"VENUE": "5000000.00"})
"""Sells over weight and buys short weight when gold is withdrawn; does not trade."""
TRADERS: Final = (
    Firm("MAKER", "Market maker", "做市商", "house", "maker", {"MAKER.H": "60000000.00"}),
    Firm("RECYCLER", "Recycler of jewellery", "旧金回收商", "house", "taker", {"RECYCLER.H": "30000000.00"}),
    Firm("REFINERY", "Refinery", "精炼厂", "house", "taker", {"REFINERY.H": "40000000.00"}),
    Firm("MINE", "Gold mine", "金矿", "house", "taker", {"MINE.H": "20000000.00"}),
    Firm("BROKER", "Broker", "经纪会员", "client", "broker", {"BROKER.C1": "12000000.00", "BROKER.C2": "12000000.00"}),
)
VISITOR: Final = Firm("VISITOR", "You", "来宾", "house", "", {"VISITOR.H": "1000000.00"})
"""The member whose key the README's quick start uses."""
JEWELLER: Final = Firm("JEWELLER", "Jeweller", "金饰店", "house", "", {"JEWELLER.H": "100000.00"}, announced=False)
"""The member whose payment the bank takes back when it has been spent."""
FIRMS: Final = (VENUE, *TRADERS, VISITOR, JEWELLER)

WAREHOUSE: Final = "XM1"
SCALES: Final = (("SCALE-1", "0.01", "10000.00"), ("SCALE-2", "0.1", "30000.0"))
"""Code, resolution and capacity in grams of the warehouse's balances."""
LABORATORIES: Final = (("LAB-A", "Laboratory A", "甲化验室"), ("LAB-B", "Laboratory B", "乙化验室"))

INSTRUMENTS: Final[tuple[dict[str, Any], ...]] = (
    {
        "symbol": "AU-SCRAP",
        "dynamic_band_percent": 2,
        "interruption_ms": 1_000,
        "reopening_steps": 1,
        "name": "Recycled gold",
        "name_zh": "旧金料",
        "form": "SCRAP_JEWEL",
        "min_fineness": 33_300,
        "max_fineness": 99_990,
        "tick": "0.01",
        "lot": "1",
        "max_quantity": "5000",
        "reference_price": "925.00",
        "price_limit_percent": 10,
        "market_protection": "5.00",
        "maker_fee_bp": 1,
        "taker_fee_bp": 3,
    },
    {
        "symbol": "AU-DORE",
        "name": "Dore",
        "name_zh": "合质金",
        "form": "DORE",
        "min_fineness": 30_000,
        "max_fineness": 99_900,
        "tick": "0.01",
        "lot": "1",
        "max_quantity": "5000",
        "reference_price": "931.50",
        "price_limit_percent": 10,
        "market_protection": "5.00",
        "maker_fee_bp": 1,
        "taker_fee_bp": 3,
    },
)

WITHDRAWER: Final = "REFINERY.H"
COLLECTOR_ID: Final = "DEMO-000017"
"""Number of the identity paper that the withdrawer's driver shows."""
PICKUP_CODE: Final = "271828"
WITHDRAWN_SYMBOL: Final = "AU-DORE"
WITHDRAWN_GRAMS: Final = "9000"
"""Fine grams asked for at the end; the lots that are allocated weigh a little more or less."""

PAID_OUT: Final = ("MINE", "MINE.H", "250000.00")
"""The member that asks for money at the end, its account, and how much."""
BANK: Final = "102393000015"
"""The code of the bank to which it goes."""
BANK_ACCOUNT: Final = "35020000000000017"
"""The number of the venue's escrow account at a bank."""

SELLER: Final = "MINE.H"
BUYER: Final = "RECYCLER.H"
"""The accounts of the rare acts; both have gold and money."""
QUOTER: Final = "MAKER.H"
"""The account that answers a request for quotes besides the seller."""
INTERRUPTED: Final = "AU-SCRAP"
SHORT_LIVED: Final[dict[str, Any]] = {
    "symbol": "AU-GRAIN",
    "name": "Gold grain",
    "name_zh": "金粒",
    "form": "GRAIN",
    "min_fineness": 99_500,
    "max_fineness": 99_999,
    "reference_price": "935.00",
    "maker_fee_bp": 12,
}
"""An instrument that is defined and retired; its fee takes a second operator."""
SANDBOX_DAYS: Final = 365
SANDBOX: Final[dict[str, Any]] = {
    "regime": "SANDBOX",
    "document_name": "Demonstration: no authority has decided anything",
    "document_number": "DEMO-1",
    "document_date": "2026-11-24",
    "document_sha256": hashlib.sha256(b"the demonstration rests on no document").hexdigest(),
    "max_clients": 200,
    "max_day_value": "100000000000.00",
    "max_total_value": "1000000000000.00",
}
"""The legal regime of the demonstration, without its last trading day."""
