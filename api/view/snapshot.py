"""Snapshots of a gateway's view, as bytes and back. They shorten the start of a gateway, whose source is the events.

Derived data is not written: levels, best prices, checksums, and the messages that channels keep. After a restart a
channel therefore begins with a snapshot, or rereads messages from the event stream. The trades channels can do neither,
so their messages are in the snapshot.

A snapshot that is incomplete, altered, or of another version of the program is refused: another version might have
folded the same events differently.
"""

import hashlib
import zlib
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from api.view.accounts import Account
from api.view.channels import Channel
from api.view.deals import Deal
from api.view.limits import KeptLimits
from api.view.market_data import MarketData
from api.view.protections import GroupLimits
from api.view.records import Candle, Fill, Order
from api.view.requests import ViewedRequest
from api.view.view import View
from goldx.hosting import collector
from goldx.protocol import events
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.notice_events import NoticePublished
from goldx.protocol.regime_events import RegimeChanged, RegimeProposed
from goldx.streams.entries import Position
from goldx.streams.frames import EventFrame
from goldx.streams.history import last_event

VERSION: Final = "goldx-view-1"
_COMPRESSION: Final = 1


class ViewSnapshotFailed(RuntimeError):
    """Raised when a snapshot is not valid; the message says why."""


class _Channel(msgspec.Struct, array_like=True, frozen=True, gc=False):
    sequence: int
    epochs: list[tuple[int, str]]


class _Account(msgspec.Struct, array_like=True, frozen=True, gc=False):
    name: str
    member: str
    kind: int
    owner: str
    holdings: list[events.HoldingChanged]
    names: list[tuple[str, int]]
    """Client ids and order ids, in the order of first use."""
    live: list[int]
    channel: _Channel
    marks: list[int]
    owed: int


class _Market(msgspec.Struct, array_like=True, frozen=True, gc=False):
    symbol: str
    defined: events.InstrumentDefined | None
    phase: int
    retired: bool
    reference: int | None
    last: int | None
    indicated: events.AuctionIndicated | None
    at: int
    candles: list[tuple[list[Candle], int, int | None]]
    resting: list[int]
    last_rank: int
    channels: list[_Channel]
    trades: list[events.Trade | TradePublished]
    busted: list[int]
    messages: list[events.Trade | events.TradeBusted | TradePublished]
    """The messages that the trades channel keeps."""
    direct: tuple[list[int], dict[int, int], dict[int, tuple[int, int]]]


class _View(msgspec.Struct, array_like=True, frozen=True, gc=False):
    at: int
    trading_day: str | None
    beginning: str
    epoch: int
    orders: list[Order]
    fills: list[Fill]
    last_trade: int
    last_of_past: int
    owners: tuple[bytes, list[str]]
    accounts: list[_Account]
    members: dict[str, list[str]]
    markets: list[_Market]
    regimes: list[RegimeChanged]
    proposed_regime: RegimeProposed | None
    protections: dict[str, dict[str, GroupLimits]]
    deals: list[Deal]
    notices: tuple[list[NoticePublished], dict[int, dict[str, int]], _Channel]
    limits: KeptLimits
    requests: list[ViewedRequest]
    request_channels: dict[str, _Channel]
    """By member."""


class ViewSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """The view after event ``sequence``, the last one of the frame of the journal entry at ``position``.

    ``previous`` is the hash of the event frame before that one, and so covers all earlier frames. ``program`` is the
    SHA-256 of the program that folded it, ``checksum`` that of ``body``, in hexadecimal; ``body`` is compressed by
    zlib.
    """

    version: str
    program: str
    sequence: int
    position: tuple[int, int]
    previous: bytes
    checksum: str
    body: bytes

    def ends_with(self, frame: EventFrame) -> bool:
        """Return whether a frame of the event stream is the last one in the view."""
        return (last_event(frame), frame.position, frame.previous) == (self.sequence, self.position, self.previous)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ViewSnapshot).decode
_decode_view = msgspec.msgpack.Decoder(_View).decode


@cache
def program() -> str:
    """Return the SHA-256 of the modules that fold events into a view."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    of_events = Path(str(events.__file__)).parent.glob("*events.py")
    for file in (*sorted(folder.glob("*.py")), *sorted(of_events)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def write(view: View) -> bytes:
    """Return a snapshot of a view between two frames. O(size of the view)."""
    state = _View(
        view.at,
        view.trading_day,
        view.beginning,
        view.epoch,
        list(view.orders.values()),
        list(view.fills.values()),
        view.last_trade,
        view.last_of_past,
        view.owners.state(),
        [_account(account) for account in view.accounts.values()],
        view.members,
        [_market(market) for market in view.markets.values()],
        view.regimes.history,
        view.regimes.proposed,
        view.protections.of_members,
        list(view.deals.by_id.values()),
        (list(view.notices.by_id.values()), view.notices.acknowledged, _channel(view.notices.channel)),
        view.limits.state,
        list(view.requests.by_id.values()),
        {member: _channel(channel) for member, channel in view.requests.channels.items()},
    )
    body = zlib.compress(_encode(state), _COMPRESSION)
    checksum = hashlib.sha256(body).hexdigest()
    return _encode(ViewSnapshot(VERSION, program(), view.sequence, view.position, view.previous, checksum, body))


def parse(data: bytes) -> ViewSnapshot:
    """Return a stored snapshot that is complete and of this program. Raises SnapshotFailed."""
    try:
        found = _decode(data)
    except msgspec.MsgspecError as error:
        raise ViewSnapshotFailed(f"it cannot be read: {error}") from error
    if (found.version, found.program) != (VERSION, program()):
        raise ViewSnapshotFailed("another version of the program has written it")
    if hashlib.sha256(found.body).hexdigest() != found.checksum:
        raise ViewSnapshotFailed("its checksum is wrong: it is torn or altered")
    return found


def read(snapshot: ViewSnapshot, view: View) -> None:
    """Put the state of a snapshot into an empty view. Raises SnapshotFailed; the view must not be used after that."""
    try:
        with collector.paused():
            _read(_decode_view(zlib.decompress(snapshot.body)), view)
    except (msgspec.MsgspecError, zlib.error, LookupError, ValueError) as error:
        raise ViewSnapshotFailed(f"the view cannot be restored from it: {error!r}") from error
    view.sequence = snapshot.sequence
    view.position = Position(*snapshot.position)
    view.previous = snapshot.previous


def _read(state: _View, view: View) -> None:
    view.at, view.trading_day = state.at, state.trading_day
    view.beginning, view.epoch = state.beginning, state.epoch
    for order in state.orders:
        view.orders.put(order.order_id, order)
    for fill in state.fills:
        view.fills.put(fill.trade.trade_id, fill)
    view.last_trade, view.last_of_past = state.last_trade, state.last_of_past
    view.owners.restore(*state.owners)
    for account in state.accounts:
        _read_account(account, view)
    view.members = state.members
    view.protections.of_members = state.protections
    view.regimes.history, view.regimes.proposed = state.regimes, state.proposed_regime
    for market in state.markets:
        _read_market(market, view)
    for deal in state.deals:
        view.deals.add(deal)
    notices, view.notices.acknowledged, channel = state.notices
    for notice in notices:
        view.notices.add(notice)
    view.notices.channel.kept.extend(notices)
    _read_channel(channel, view.notices.channel, view)
    view.limits.state = state.limits
    for request in state.requests:
        view.requests.add(request)
    for member, channel in state.request_channels.items():
        _read_channel(channel, view.requests.channels[member], view)


def _channel(channel: Channel) -> _Channel:
    return _Channel(channel.sequence, channel.epochs)


def _read_channel(state: _Channel, channel: Channel, view: View) -> None:
    channel.restore(view.beginning, state.sequence, state.epochs)


def _account(account: Account) -> _Account:
    return _Account(
        account.name,
        account.member,
        account.kind,
        account.owner,
        list(account.holdings.values()),
        [(name, order.order_id) for name, order in account.orders.items()],
        list(account.live),
        _channel(account.channel),
        account.marks,
        account.owed,
    )


def _read_account(state: _Account, view: View) -> None:
    opened = events.AccountOpened(
        sequence=1, at=0, account=state.name, member=state.member, kind=state.kind, owner=state.owner
    )
    account = Account(opened)
    account.marks = state.marks
    account.owed = state.owed
    for holding in state.holdings:
        account.holdings[holding.asset] = holding
    for name, order_id in state.names:
        account.orders.put(name, view.orders[order_id])
    for order_id in state.live:
        account.live[order_id] = view.orders[order_id]
    view.add_account(account)
    _read_channel(state.channel, account.channel, view)


def _market(market: MarketData) -> _Market:
    return _Market(
        market.symbol,
        market.defined,
        market.phase,
        market.retired,
        market.reference,
        market.last,
        market.indicated,
        market.at,
        [candles.state() for candles in market.candles.values()],
        list(market.book.orders),
        market.book.last_rank,
        [_channel(channel) for channel in market.channels()],
        list(market.trades),
        sorted(market.busted),
        list(market.trades_channel.kept),
        market.direct.state(),
    )


def _read_market(state: _Market, view: View) -> None:
    market = MarketData(state.symbol)
    market.defined, market.phase, market.reference = state.defined, state.phase, state.reference
    market.last, market.indicated, market.at = state.last, state.indicated, state.at
    market.retired = state.retired
    market.trades.extend(state.trades)
    market.busted.update(state.busted)
    market.trades_channel.kept.extend(state.messages)
    market.book.restore([view.orders[order_id] for order_id in state.resting], state.last_rank)
    view.add_market(market)
    market.direct.restore(*state.direct)
    for candles, candles_state in zip(market.candles.values(), state.candles, strict=True):
        candles.restore(*candles_state)
    for channel, channel_state in zip(market.channels(), state.channels, strict=True):
        _read_channel(channel_state, channel, view)
