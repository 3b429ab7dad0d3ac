"""A process of traders: ``python -m goldx.demo.trading`` runs the programs of a plan, each on a session of its own.

The plan is the first line of standard input, as JSON. While it trades, the process writes one ``Progress`` line to
standard output four times a second; when standard input ends it stops its programs and writes one ``Finished`` line.
So it also stops when whoever started it is no longer there.
"""

import asyncio
import sys
from itertools import repeat

import msgspec

from goldx.client.errors import ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from goldx.demo.record import Record
from goldx.demo.traders import AGAIN_SECONDS, Broker, FairPrice, MarketMaker, Opener, Position, Program, Taker
from goldx.retry import retry

REPORT_SECONDS = 0.25


class Seat(msgspec.Struct, frozen=True):
    """One member's account, the key file it trades with, and the kind of program: maker, taker or broker."""

    account: str
    key: str
    strategy: str


class Plan(msgspec.Struct, frozen=True):
    """``start_prices``: symbol -> fen per fine gram; ``began``: seconds since the epoch.

    ``opening``: everybody only enters orders for the opening auction, and is then done. ``calm``: how many times slower
    takers are than they could be.
    """

    url: str
    seed: int
    began: float
    start_prices: dict[str, int]
    seats: tuple[Seat, ...]
    opening: bool = False
    calm: float = 1.0


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """What all seats have done since the start; ``latencies``: microseconds of the orders since the last report;
    ``holdings``: account -> asset -> fen or fine milligrams."""

    acked: int
    refused: int
    changes: int
    latencies: list[int]
    holdings: dict[str, dict[str, int]]


class Finished(msgspec.Struct, tag="finished", frozen=True):
    """The last line: what everybody has written down."""

    records: list[Record]


Report = Progress | Finished
decode_report = msgspec.json.Decoder(Report).decode


async def trade(plan: Plan) -> None:
    """Runs all seats of a plan until standard input ends. The first seat that fails ends all of them."""
    stop, quiet = asyncio.Event(), asyncio.Barrier(len(plan.seats))
    positions = [Position(Record(seat.account)) for seat in plan.seats]
    reporting = asyncio.create_task(_report(positions))
    waiting = asyncio.create_task(_until_input_ends(stop))
    try:
        async with asyncio.TaskGroup() as seats:
            for seat, position in zip(plan.seats, positions, strict=True):
                seats.create_task(_sit(seat, plan, position, stop, quiet))
    finally:
        reporting.cancel()
        waiting.cancel()
    _write(Finished([position.record for position in positions]))


async def _sit(seat: Seat, plan: Plan, position: Position, stop: asyncio.Event, quiet: asyncio.Barrier) -> None:
    """One member's session from log-on to log-off.

    What rests in the end is taken out, but for orders of the opening. When all seats are quiet, one more request is
    answered behind everything that was sent before: nothing that the private channel had to tell is missed.
    """
    async with connect(plan.url, Key.load(seat.key)) as exchange:
        for asset, holding in (await exchange.holdings(seat.account)).items():
            position.holds(asset, holding)
        listening = asyncio.create_task(_listen(exchange, position))
        try:
            await asyncio.gather(*(program.run() for program in _programs(seat, exchange, position, plan, stop)))
            if not plan.opening:
                await _take_out(exchange, seat.account)
            await quiet.wait()
            await exchange.call("session.heartbeat")
            await asyncio.sleep(0.1)
        finally:
            listening.cancel()


async def _take_out(exchange: ExchangeClient, account: str) -> None:
    """Cancels what rests, as soon as the exchange takes commands."""

    async def cancel() -> None:
        if await exchange.orders(account):
            await exchange.cancel_all(account)

    def is_unavailable(error: Exception) -> bool:
        return isinstance(error, ExchangeError) and error.reason == "UNAVAILABLE"

    await retry(cancel, is_unavailable, repeat(AGAIN_SECONDS))


async def _listen(exchange: ExchangeClient, position: Position) -> None:
    """Reads the private channel from its beginning, so that nothing is missed between log-on and subscription."""
    async for message in exchange.subscribe(f"account.{position.record.account}", from_sequence=0):
        position.heard(message["data"])


def _programs(
    seat: Seat, exchange: ExchangeClient, position: Position, plan: Plan, stop: asyncio.Event
) -> list[Program]:
    symbols = tuple(plan.start_prices)
    prices = {s: FairPrice(f"{plan.seed}/{s}", start, plan.began) for s, start in plan.start_prices.items()}
    seed = f"{plan.seed}/{seat.account}"
    if plan.opening:
        return [Opener(symbols, exchange, position, prices, seed, stop)]
    if seat.strategy == "maker":
        return [MarketMaker(symbol, exchange, position, prices, f"{seed}/{symbol}", stop) for symbol in symbols]
    if seat.strategy == "broker":
        return [Broker(symbols, exchange, position, prices, seed, stop)]
    return [Taker(symbols, plan.calm, exchange, position, prices, seed, stop)]


async def _report(positions: list[Position]) -> None:
    told = [0] * len(positions)
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        records = [position.record for position in positions]
        latencies: list[int] = []
        for index, record in enumerate(records):
            latencies += record.latencies[told[index] :]
            told[index] = len(record.latencies)
        _write(
            Progress(
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
    """Trades the plan on standard input. What the exchange or the network did is said in one line, exit code 1."""
    try:
        asyncio.run(trade(msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)))
    except ExceptionGroup as several:
        known, unknown = several.split((ExchangeError, OSError))
        if known is None or unknown is not None:
            raise
        sys.exit("; ".join(f"a trader's session ended: {error}" for error in known.exceptions))


if __name__ == "__main__":
    main()
