"""A gateway beside an exchange, with clients of two members, and two operators."""

import asyncio
import time
from typing import Any, NamedTuple

from api.app import GatewayServer
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient
from tests.http_client import http_client
from tests.settlement.named_lots.test_titles import locked
from tests.settlement.small_exchange import SmallExchange

HOUR_MS = 3_600_000


class Desk(NamedTuple):
    """A gateway beside an exchange, with a member's client for A.H and one for B.H; ``engine`` applies commands."""

    exchange: SmallExchange
    server: GatewayServer
    seller: ExchangeClient
    buyer: ExchangeClient
    keys: dict[str, Key]

    async def propose(self, side: str, lots: list[int], quantity: str, name: str, **more: Any) -> Any:
        client, parties = (self.seller, ("A.H", "B.H")) if side == "sell" else (self.buyer, ("B.H", "A.H"))
        until = int(time.time() * 1_000) + HOUR_MS
        terms = {"quantity": quantity, "price": "600.00", "expire_at": until, "lots": lots, **more}
        return await client.propose_deal(*parties, "AU", side, client_deal_id=name, **terms)

    async def annul(self, who: str, trade_id: int, status: int = 200) -> Any:
        """Ask for the annulment of a trade as one of two operators."""
        headers = {"Authorization": f"Bearer {self.keys[who].bearer_token()}"}
        body = {"method": "trade.bust", "params": {"trade_id": trade_id, "reason": "wrong lots"}}
        async with http_client(self.server.url, timeout=60) as http:
            answer = await http.post("/v1/operator/commands", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def receipts(self, member: str) -> Any:
        """Return the receipts that a member sees."""
        headers = {"Authorization": f"Bearer {self.keys[member].bearer_token()}"}
        async with http_client(self.server.url, timeout=60) as http:
            answer = await http.get("/v1/receipts", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["receipts"]

    async def freed(self) -> None:
        """Wait until no lot is kept for a deal."""
        async with asyncio.timeout(30):
            while await locked(self.exchange):
                await asyncio.sleep(0.05)
