"""Snapshots of the view: a restored view goes on exactly as the one that was written down."""

from collections import deque
from random import Random
from typing import Any

import msgspec
import pytest

from api.view import snapshot
from api.view.accounts import Account, OrderOwners
from api.view.books import Book
from api.view.candles import Candles
from api.view.channels import Channel
from api.view.deals import Deals, write_deal
from api.view.direct_trades import DirectTrades
from api.view.limit_forms import write_member
from api.view.limits import ViewedLimits
from api.view.market_data import MarketData
from api.view.notices import Notices
from api.view.orders import write_order, write_trades
from api.view.protections import Protections
from api.view.regimes import Regimes
from api.view.request_forms import write_own_request, write_request_to_quote
from api.view.requests import Requests
from api.view.snapshot import ViewSnapshotFailed
from api.view.tables import NameTable, NumberTable
from api.view.view import View
from tests.api.view.forms import holdings_of, newest_trades
from tests.api.view.test_view import EACH_SEED, SEEDS, Reader, frames, none_waiting

STEPS = 2_500


def copy_of(view: View) -> View:
    copy = View()
    snapshot.read(snapshot.parse(snapshot.write(view)), copy)
    return copy


def shown(view: View) -> dict[str, Any]:
    """Return all that a member or a subscriber can see of a view."""
    return {
        "day": (view.trading_day, view.sequence, view.position, view.at, view.beginning, view.previous),
        "members": view.members,
        "protections": {member: view.protections.write(member) for member in view.members},
        "limits": [write_member(view, member) for member in view.members],
        "orders": [(write_order(order), write_trades(order, view.fills)) for order in view.orders.values()],
        "ids": {
            name: [(key, order.order_id) for key, order in account.orders.items()]
            for name, account in view.accounts.items()
        },
        "live": {name: list(account.live) for name, account in view.accounts.items()},
        "holdings": {name: holdings_of(account) for name, account in view.accounts.items()},
        "marks": {name: account.marks for name, account in view.accounts.items()},
        "books": {symbol: market.depth(None) for symbol, market in view.markets.items()},
        "resting": {symbol: market.book.resting() for symbol, market in view.markets.items()},
        "tops": {symbol: [market.book.best(side) for side in (0, 1)] for symbol, market in view.markets.items()},
        "instruments": [market.instrument() for market in view.markets.values()],
        "status": [market.status() for market in view.markets.values()],
        "direct": [market.direct.state() for market in view.markets.values()],
        "deals": [
            [write_deal(deal, name) for deal in view.deals.open_of(name)] + [write_deal(deal, name)]
            for deal in view.deals.by_id.values()
            for name in deal.parties
        ],
        "notices": [view.notices.write_answers(notice, view.members) for notice in view.notices.by_id.values()],
        "requests": [
            (write_own_request(request), write_request_to_quote(request, request.quote_of(name)))
            for request in view.requests.by_id.values()
            for name in view.accounts
        ],
        "open_requests": list(view.requests.open),
        "trades": [newest_trades(market) for market in view.markets.values()],
        "candles": [
            {name: list(found.kept) for name, found in market.candles.items()} for market in view.markets.values()
        ],
        "channels": {name: (channel.sequence, channel.epoch) for name, channel in view.channels.items()},
    }


NOT_WRITTEN = {"__orig_class__", "_kept", "_written", "_unread_left", "recording", "subscribers", "_serving"}
"""Attributes that differ in a restored view: what channels keep, and who listens."""
CHECKSUMS = {"_levels_checksum", "_orders_checksum"}
"""They are computed when they are needed."""
OWN = (
    View,
    Account,
    OrderOwners,
    MarketData,
    Book,
    Candles,
    Channel,
    NumberTable,
    NameTable,
    Deals,
    Notices,
    DirectTrades,
    Regimes,
    ViewedLimits,
    Requests,
    Protections,
)


def everything(value: Any) -> Any:
    """Return all attributes of the objects of a view, so that none is forgotten in its snapshot."""
    if isinstance(value, OWN):
        found = {name: everything(part) for name, part in vars(value).items() if name not in NOT_WRITTEN | CHECKSUMS}
        return type(value).__name__, found
    if isinstance(value, dict):
        return {name: everything(part) for name, part in value.items()}
    if isinstance(value, list | tuple | deque):
        return [everything(part) for part in value]
    return "function" if callable(value) else value


@pytest.mark.skipif(not hasattr(View(), "__dict__"), reason="the compiled view does not list its attributes")
@pytest.mark.parametrize("seed", EACH_SEED)
def test_no_attribute_of_a_view_is_forgotten(seed: int) -> None:
    print(f"SEED={seed}")
    view = View()
    for frame, _ in frames(seed, STEPS):
        view.apply(frame, none_waiting)
    original, copy = everything(view), everything(copy_of(view))
    channels = original[1].pop("channels"), copy[1].pop("channels")
    assert channels[0] == channels[1]
    assert original == copy


@pytest.mark.parametrize("seed", EACH_SEED)
def test_a_restored_view_goes_on_as_the_one_that_was_written_down(seed: int) -> None:
    print(f"SEED={seed}")
    random = Random(seed)
    original, leader = View(), 1
    copies: list[tuple[View, dict[str, Reader], dict[str, Reader]]] = []
    for number, (frame, _) in enumerate(frames(seed, STEPS)):
        leader += random.random() < 0.01
        changed = msgspec.structs.replace(frame, epoch=leader, previous=number.to_bytes(32))
        original.apply(changed, none_waiting)
        for view, _, _ in copies:
            view.apply(changed, none_waiting)
        if random.random() < 4 / STEPS or number == STEPS // 2:
            copy = copy_of(original)
            assert shown(copy) == shown(original)
            readers: list[dict[str, Reader]] = []
            for view in (original, copy):
                view.start_serving()
                readers.append({name: Reader() for name in view.channels})
                for name, reader in readers[-1].items():
                    view.channels[name].subscribe(reader, None)
            copies.append((copy, readers[0], readers[1]))
    assert copies
    for copy, of_original, of_copy in copies:
        assert shown(copy) == shown(original)
        assert {name: reader.messages for name, reader in of_copy.items()} == {
            name: reader.messages for name, reader in of_original.items()
        }
        assert snapshot.write(copy) == snapshot.write(original)


def test_trades_can_be_resumed_from_before_the_snapshot() -> None:
    """One sequence has enough trades, unless accounts that owe something buy nothing in most of it."""
    traded = 0
    for seed in SEEDS:
        traded += resumed_trades(seed) if traded <= 20 else 0
    assert traded > 20


def resumed_trades(seed: int) -> int:
    """Return how many trades are read after a sequence, the same from the view and from its copy."""
    view = View()
    for frame, _ in frames(seed, STEPS):
        view.apply(frame, none_waiting)
    copy = copy_of(view)
    traded = 0
    for symbol, market in view.markets.items():
        first, second = Reader(), Reader()
        market.trades_channel.subscribe(first, 0)
        copy.markets[symbol].trades_channel.subscribe(second, 0)
        assert first.messages == second.messages
        traded += len(first.messages)
    return traded


def test_a_snapshot_that_is_not_whole_or_of_another_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    view = View()
    for frame, _ in frames(SEEDS[0], 300):
        view.apply(frame, none_waiting)
    data = snapshot.write(view)
    for torn in (b"", data[:-1], data[: len(data) // 2], data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]):
        with pytest.raises(ViewSnapshotFailed):
            snapshot.parse(torn)
    with pytest.raises(ViewSnapshotFailed, match="the view cannot be restored from it"):
        snapshot.read(msgspec.structs.replace(snapshot.parse(data), body=b"nonsense"), View())
    monkeypatch.setattr(snapshot, "program", lambda: "another")
    with pytest.raises(ViewSnapshotFailed, match="another version"):
        snapshot.parse(data)
