"""The rows of entries and postings, made at once, are those that a plain loop makes of the same events."""

import os
from hashlib import sha256
from random import Random

import pytest

from goldx.protocol.events import AnyEvent, HoldingAdjusted, HoldingChanged, Trade, TradeBusted
from goldx.protocol.units import CASH
from goldx.streams.frames import EventFrame
from settlement.ledger.chain import GENESIS
from settlement.ledger.posting import FEES, MEMBER, AccountKey, PostedBatch, SequenceGap, lines_of, post_movements, sift
from settlement.ledger.rows import TRADES_AT_ONCE, Entry, Numbers, Posting, Rows

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))
NAMES = ("A.H", "B.H", "C.H")


def drawn(random: Random, sequence: int) -> AnyEvent:
    """Return a trade, mostly; some have no fees, some give the seller nothing, some are with oneself."""
    quantity = random.randint(1, 9) * 1_000
    amount = quantity * random.randint(1, 99)
    buyer, seller = random.choice(NAMES), random.choice(NAMES)
    buy_fee, sell_fee = random.choice(((0, 0), (3, 0), (0, 2), (3, 2), (3, amount)))
    terms = ("AU", 60_000, quantity, amount, 1, 2, buyer, seller)
    made = Trade(sequence, sequence * 2, sequence, *terms, 0, 0, 0, buy_fee, sell_fee)
    kind = random.random()
    if kind < 0.03:
        return HoldingAdjusted(sequence, 5, buyer, random.choice((CASH, "AU")), amount, f"in-{sequence}")
    if kind < 0.06:
        deal = (*terms, 0, buy_fee, sell_fee)
        return TradeBusted(sequence, 5, made.trade_id, *deal, 4, "ada", "ben", "mistyped")
    if kind < 0.1:
        return HoldingChanged(sequence, 5, buyer, CASH, amount, 0)
    return made


def plain(events: list[AnyEvent], batch: PostedBatch, numbers: Numbers) -> tuple[list[Entry], list[Posting]]:
    """Return the rows, entry by entry and line by line."""
    entries: list[Entry] = []
    postings: list[Posting] = []
    of_moving = {sequence: (kind, at, reference) for sequence, kind, at, reference in batch.entries}
    previous = GENESIS
    for event in events:
        if isinstance(event, Trade):
            kind, at, reference = "trade", event.at, None
            lines = [(event.sequence, line, numbers[key], amount) for line, key, amount in lines_of(event)]
        elif event.sequence in of_moving:
            kind, at, reference = of_moving[event.sequence]
            lines = [(s, line, numbers[key], amount) for s, line, key, amount in batch.lines if s == event.sequence]
        else:
            continue
        text = ",".join(f"{line}:{account}:{amount}" for _, line, account, amount in lines)
        previous = sha256(previous + f"{event.sequence}|{kind}|{at}|{reference or ''}|{text}".encode()).digest()
        entries.append((event.sequence, kind, at, reference, previous))
        postings += lines
    return entries, postings


async def test_rows_are_those_of_a_plain_loop() -> None:
    print(f"SEED={SEED}")
    random = Random(SEED)
    for count in (1, 3, TRADES_AT_ONCE, 5 * TRADES_AT_ONCE):
        events = [drawn(random, sequence) for sequence in range(11, 11 + count)]
        frames = [EventFrame((1, n), (tuple(events[n : n + 7]),)) for n in range(0, count, 7)]
        (batch,) = (await sift(frames, 10)).batches
        post_movements(batch, {})
        numbers = Numbers()
        wanted = numbers.missing(batch)
        numbers.add({key: 100 + number for number, key in enumerate(sorted(wanted))})
        assert numbers.missing(batch) == set()
        rows = Rows(numbers, GENESIS)
        await rows.make(batch)
        entries, postings = plain(events, batch, numbers)
        assert rows.entries == entries
        assert rows.postings == postings
        assert rows.hash == (entries[-1][-1] if entries else GENESIS)
        used = {line[2] for line in postings}
        assert used == {numbers[key] for key in wanted}, "an account is opened with its first posting, not before"


async def test_a_side_is_known_by_a_trading_accounts_money_and_metal_alone() -> None:
    numbers = Numbers()
    numbers.add({FEES: 1, AccountKey("vault", "vault", "AU"): 2, AccountKey("vault", "vault", CASH): 3})
    numbers.add({AccountKey(MEMBER, "vault", CASH): 4})
    assert numbers.learn(("vault", "AU")) is None
    numbers.add({AccountKey(MEMBER, "vault", "AU"): 5})
    assert numbers.learn(("vault", "AU")) == (4, 5)
    assert numbers.sides == {("vault", "AU"): (4, 5)}
    numbers.clear()
    assert numbers.sides == {}
    assert numbers.learn(("vault", "AU")) is None
    with pytest.raises(KeyError):
        numbers[FEES]


async def test_what_comes_before_is_left_out_and_a_gap_is_refused() -> None:
    events = [HoldingChanged(sequence, 5, "A.H", CASH, sequence, 0) for sequence in (4, 5, 6, 8)]
    frames = [EventFrame((1, 6), (tuple(events[:3]),))]
    found = await sift(frames, 5)
    assert (found.after, found.last) == (5, events[2])
    assert [one.holdings for one in found.batches] == [{("A.H", CASH): events[2]}]
    (whole,) = (await sift(frames, 3)).batches
    assert whole.holdings == {("A.H", CASH): events[2]}, "the newest one counts"
    assert (await sift(frames, 6)).last is None
    with pytest.raises(SequenceGap, match="sequence 4; 3 was expected"):
        await sift(frames, 2)
    with pytest.raises(SequenceGap, match="sequence 8; 7 was expected"):
        await sift([EventFrame((1, 8), (tuple(events),))], 3)
