"""A process of traders: ``python -m goldx.demo.trading`` runs the programs of a plan, each on a session of its own.

The plan is the first line of standard input, as JSON. While it trades, the process writes one ``SeatCounts`` line to
standard output four times a second; when standard input ends it stops its programs and writes one ``Finished`` line.
So it stops too when the process that started it has ended.
"""

import asyncio
import sys
from itertools import repeat

import msgspec

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from goldx.demo.program import AGAIN_SECONDS, FairPrice, HeldPosition, Program
from goldx.demo.record import SessionRecord
from goldx.demo.strategies import Broker, MarketMaker, Opener, Taker
from goldx.retry import is_any_of, retry

REPORT_SECONDS = 0.25


class Seat(msgspec.Struct, frozen=True):
    """One member's account, the key file it trades with, and the kind of program: maker, taker or broker."""

    account: str
    key: str
    strategy: str


class Plan(msgspec.Struct, frozen=True):
    """The trading of one process: the gateway's URL, and a program for every seat.

    ``start_prices``: symbol -> fen per fine gram; ``began``: seconds since the epoch. ``opening``: all seats only enter
    orders for the opening auction, and end by themselves. ``slowness``: how many times slower takers are than they
    could be.
    """

    url: str
    seed: int
    began: float
    start_prices: dict[str, int]
    seats: tuple[Seat, ...]
    opening: bool = False
    slowness: float = 1.0


class SeatCounts(msgspec.Struct, tag="progress", frozen=True):
    """The counts of all seats since the start.

    ``latencies``: microseconds of the orders since the last report; ``holdings``: account -> asset -> fen or fine
    milligrams.
    """

    acked: int
    refused: int
    changes: int
    latencies: list[int]
    holdings: dict[str, dict[str, int]]


class Finished(msgspec.Struct, tag="finished", frozen=True):
    """The last line: the records of all seats."""

    records: list[SessionRecord]


Report = SeatCounts | Finished
decode_report = msgspec.json.Decoder(Report).decode


async def trade(plan: Plan) -> None:
    """Run all seats of a plan until standard input ends. The first seat that fails ends all of them."""
    stop, idle = asyncio.Event(), asyncio.Barrier(len(plan.seats))
    positions = [HeldPosition(SessionRecord(seat.account)) for seat in plan.seats]
    reporting = asyncio.create_task(_report(positions))
    waiting = asyncio.create_task(_until_input_ends(stop))
    try:
        async with asyncio.TaskGroup() as seats:
            for seat, position in zip(plan.seats, positions, strict=True):
                seats.create_task(_run_seat(seat, plan, position, stop, idle))
    finally:
        reporting.cancel()
        waiting.cancel()
    _write(Finished([position.record for position in positions]))


async def _run_seat(seat: Seat, plan: Plan, position: HeldPosition, stop: asyncio.Event, idle: asyncio.Barrier) -> None:
    """Run one member's session from log-on to log-off.

    Orders that rest at the end are cancelled, but for those of the opening. When all seats are idle, one more request
    is sent, whose answer comes after every message of the private channel: none is missed.
    """
    async with connect(plan.url, Key.load(seat.key), reconnect=True) as client:
        for asset, holding in (await client.holdings(seat.account)).items():
            position.set_holding(asset, holding)
        listening = asyncio.create_task(_listen(client, position))
        try:
            await asyncio.gather(*(program.run() for program in _programs(seat, client, position, plan, stop)))
            if not plan.opening:
                await _cancel_all(client, seat.account)
            await idle.wait()
            await retry(lambda: client.call("session.heartbeat"), is_any_of(ConnectionLost), repeat(AGAIN_SECONDS))
            await asyncio.sleep(0.1)
        finally:
            listening.cancel()


async def _cancel_all(client: ExchangeClient, account: str) -> None:
    """Cancel the account's open orders, as soon as the exchange takes commands."""

    async def cancel() -> None:
        if await client.orders(account):
            await client.cancel_all(account)

    def is_unavailable(error: Exception) -> bool:
        return isinstance(error, ConnectionLost) or (isinstance(error, ExchangeError) and error.reason == "UNAVAILABLE")

    await retry(cancel, is_unavailable, repeat(AGAIN_SECONDS))


async def _listen(client: ExchangeClient, position: HeldPosition) -> None:
    """Read the private channel from its beginning, so that nothing is missed between log-on and subscription."""
    async for message in client.subscribe(f"account.{position.record.account}", from_sequence=0):
        position.apply(message["data"])


def _programs(
    seat: Seat, client: ExchangeClient, position: HeldPosition, plan: Plan, stop: asyncio.Event
) -> list[Program]:
    symbols = tuple(plan.start_prices)
    prices = {s: FairPrice(f"{plan.seed}/{s}", start, plan.began) for s, start in plan.start_prices.items()}
    seed = f"{plan.seed}/{seat.account}"
    if plan.opening:
        return [Opener(symbols, client, position, prices, seed, stop)]
    if seat.strategy == "maker":
        return [MarketMaker(symbol, client, position, prices, f"{seed}/{symbol}", stop) for symbol in symbols]
    if seat.strategy == "broker":
        return [Broker(symbols, client, position, prices, seed, stop)]
    return [Taker(symbols, plan.slowness, client, position, prices, seed, stop)]


async def _report(positions: list[HeldPosition]) -> None:
    reported = [0] * len(positions)
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        records = [position.record for position in positions]
        latencies: list[int] = []
        for index, record in enumerate(records):
            latencies += record.latencies[reported[index] :]
            reported[index] = len(record.latencies)
        _write(
            SeatCounts(
                acked=sum(len(record.acked) for record in records),
                refused=sum(sum(record.refused.values()) for record in records),
                changes=sum(record.changes for record in records),
                latencies=latencies,
                holdings={position.record.account: position.total for position in positions},
            )
        )


async def _until_input_ends(stop: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()


def _write(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Trade the plan on standard input. An error of the exchange or the network is one line, with exit code 1."""
    try:
        asyncio.run(trade(msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)))
    except ExceptionGroup as several:
        known, unknown = several.split((ExchangeError, OSError))
        if known is None or unknown is not None:
            raise
        sys.exit("; ".join(f"a trader's session ended: {error}" for error in known.exceptions))


if __name__ == "__main__":
    main()
