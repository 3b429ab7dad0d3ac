"""A proposed deal inside the core: a trade that one account offers to one other account."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matching.core.holdings import Account, Balance
    from matching.core.instrument import Instrument


class Deal:
    """An open proposal. ``account`` has made it, ``side`` is that account's; ``counter_account`` may accept it.

    ``price`` in fen per fine gram, ``quantity`` in fine mg, ``expire_at`` and ``agreed_at`` in ms.
    ``reserved`` is what the proposer has reserved of ``balance``: price x quantity and the fee for a buy (fen), the
    quantity for a sale. ``session`` as that of an order. ``lots``: the numbers of the receipts of named lots.
    """

    __slots__ = (
        "account",
        "agreed_at",
        "balance",
        "client_deal_id",
        "counter_account",
        "deal_id",
        "expire_at",
        "instrument",
        "lots",
        "price",
        "quantity",
        "reserved",
        "session",
        "side",
    )

    def __init__(
        self,
        deal_id: int,
        account: Account,
        client_deal_id: str,
        counter_account: Account,
        instrument: Instrument,
        side: int,
        quantity: int,
        price: int,
        expire_at: int,
        agreed_at: int | None,
        session: str,
        balance: Balance,
        reserved: int,
        lots: tuple[int, ...] = (),
    ) -> None:
        self.deal_id: int = deal_id
        self.account: Account = account
        self.client_deal_id: str = client_deal_id
        self.counter_account: Account = counter_account
        self.instrument: Instrument = instrument
        self.side: int = side
        self.quantity: int = quantity
        self.price: int = price
        self.expire_at: int = expire_at
        self.agreed_at: int | None = agreed_at
        self.session: str = session
        self.balance: Balance = balance
        self.reserved: int = reserved
        self.lots: tuple[int, ...] = lots
