"""Holdings of an account and trades of a market, all that a view keeps of them, in the protocol's form."""

from typing import Any

from api.view.accounts import Account, write_holding
from api.view.market_data import MarketData


def holdings_of(account: Account) -> dict[str, dict[str, str]]:
    """Return the holdings of an account by asset."""
    return {asset: write_holding(holding, account.owed) for asset, holding in sorted(account.holdings.items())}


def newest_trades(market: MarketData) -> list[dict[str, Any]]:
    """Return the public trades that are kept of a market, newest first."""
    return [market.write_trade(trade) for trade in reversed(market.trades)]
