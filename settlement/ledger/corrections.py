"""Corrections of money and metal on the wrong account, proposed by one person with the reason and approved by another.

Only events of the engine are posted, so a correction is a movement of holdings like any other, with an entry of its
own: engine and ledger stay equal. It changes neither the money at the bank nor the metal in the vaults. It moves money,
or fine gold of a class,

- from one trading account to another, if it was booked to the wrong one, or was moved by an entry without a document,
  which the correction names then;
- between an account and ``suspense``, up to the amount that came to that account or went from it without a document;

and money from the venue's own account to the holder of an upheld quality claim. Gold that it brings to an account is
bought title, gold that it takes is bought title before own stock, as in a sale.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import (
    CASH,
    MAX_MONEY_FEN,
    MAX_WEIGHT_MG,
    BadValue,
    format_amount,
    format_money,
    format_weight,
)
from settlement.base import audit, proposals
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.sub_accounts import Legs, check_trading_account
from settlement.base.texts import printable
from settlement.documents.ledger import CORRECTION
from settlement.ledger import balances, holdings, outbox, undocumented
from settlement.ledger.holdings import OVER_SHORT_ACCOUNT
from settlement.tables.ledger import correction, instrument
from settlement.tables.load_outs import load_out, quality_claim


async def propose(
    connection: AsyncConnection,
    by: str,
    from_account: str | None,
    to_account: str | None,
    amount_fen: int,
    why: str,
    document: str,
    *,
    claim_no: int | None = None,
    entry: int | None = None,
) -> int:
    """Propose a correction of money by the number of the ``document`` that proves it; return the proposal's number.

    If one of the accounts is None, the other side is ``suspense``. ``entry``: the sequence of the entry without a
    document that had moved the money between the two accounts. Raises BadValue; Refused: INSUFFICIENT_CASH if the first
    account lacks the money, NOTHING_TO_CORRECT if less came or went without a document, SUM_TOO_LARGE.
    """
    if not 0 < amount_fen <= MAX_MONEY_FEN:
        raise BadValue("amount", format_money(amount_fen), f"CNY, more than zero, up to {format_money(MAX_MONEY_FEN)}")
    values = {"amount_fen": amount_fen, "claim_no": claim_no, "why": why, "document": document, "entry": entry}
    summary = {"claim_no": claim_no, "amount": format_money(amount_fen)}
    return await _propose(connection, by, CASH, (from_account, to_account), amount_fen, values, summary)


async def propose_metal(
    connection: AsyncConnection,
    by: str,
    symbol: str,
    from_account: str | None,
    to_account: str | None,
    fine_mg: int,
    why: str,
    document: str,
    *,
    entry: int | None = None,
) -> int:
    """Propose a correction of fine gold of a class, as ``propose`` does of money.

    Raises BadValue; Refused: INSUFFICIENT_GOLD, NOTHING_TO_CORRECT, SUM_TOO_LARGE.
    """
    if not 0 < fine_mg <= MAX_WEIGHT_MG:
        largest = format_weight(MAX_WEIGHT_MG)
        raise BadValue("weight", format_weight(fine_mg), f"fine grams, more than zero, up to {largest}")
    if await connection.scalar(select(instrument.c.symbol).where(instrument.c.symbol == symbol)) is None:
        raise BadValue("symbol", symbol, "a class that the exchange has defined")
    values = {"symbol": symbol, "fine_mg": fine_mg, "why": why, "document": document, "entry": entry}
    summary = {"symbol": symbol, "weight": format_weight(fine_mg)}
    return await _propose(connection, by, symbol, (from_account, to_account), fine_mg, values, summary)


async def _propose(
    connection: AsyncConnection,
    by: str,
    asset: str,
    accounts: tuple[str | None, str | None],
    amount: int,
    values: Mapping[str, Any],
    summary: Mapping[str, Any],
) -> int:
    from_account, to_account = accounts
    if from_account == to_account:
        raise BadValue("to_account", to_account, "another account than from_account; one of the two may be left out")
    printable("reason", values["why"], 200)
    printable("document", values["document"], 64)
    await audit.lock(connection)
    for account in accounts:
        if account is not None:
            await check_trading_account(connection, account)
    if from_account is not None:
        await holdings.check_available(connection, from_account, asset, amount)
    await _check_moved(connection, asset, from_account, to_account, values["entry"], amount)
    about = {"from_account": from_account, "to_account": to_account}
    row = {**about, **values, "status": CORRECTION.steps["propose"].after}
    try:
        added = await connection.execute(insert(correction).values(row).returning(correction.c.correction_no))
    except IntegrityError as error:
        raise BadValue("claim", values.get("claim_no"), "a claim without a proposed or made payment") from error
    named = {} if values["entry"] is None else {"entry": values["entry"]}
    said = {**about, **summary, **named, "reason": values["why"], "document": values["document"]}
    return await proposals.propose(connection, by, "correction", [int(added.scalar_one())], said)


def asset_of(row: Row[Any]) -> str:
    """Return the asset that a correction moves: CNY, or a class."""
    return CASH if row.symbol is None else str(row.symbol)


async def _check_moved(
    connection: AsyncConnection,
    asset: str,
    from_account: str | None,
    to_account: str | None,
    entry: int | None,
    change: int = 0,
) -> None:
    """Check what was moved without a document, for a correction of ``change`` besides all that are under way.

    Raises BadValue for an entry that needs no correction of this kind, Refused (NOTHING_TO_CORRECT, SUM_TOO_LARGE).
    """
    if from_account is None or to_account is None:
        if entry is not None:
            raise BadValue("entry", entry, "left out unless from_account and to_account are both given")
        account, sign = (from_account, 1) if to_account is None else (to_account, -1)
        await _check_suspense(connection, asset, str(account), sign * change)
    elif entry is not None:
        await _check_entry(connection, asset, entry, {from_account: -change, to_account: change})


async def _check_suspense(connection: AsyncConnection, asset: str, account: str, change: int) -> None:
    """Raise Refused if corrections would pass what came to an account or went from it without a document.

    What ``suspense`` gives back to accounts must also fit into the sum of all accounts (SUM_TOO_LARGE).
    """
    columns = correction.c
    amount = columns.amount_fen if asset == CASH else columns.fine_mg
    of_asset = columns.symbol.is_(None) if asset == CASH else columns.symbol == asset
    signed = select(func.sum(amount)).where(columns.status.in_(CORRECTION.open), of_asset)
    given = signed.where(columns.to_account.is_(None), columns.from_account == account)
    taken = signed.where(columns.from_account.is_(None))
    giving = int(await connection.scalar(given) or 0) + max(change, 0)
    taking = int(await connection.scalar(taken.where(columns.to_account == account)) or 0) + max(-change, 0)
    came = await undocumented.of_account(connection, account, asset)
    if giving > max(came, 0) or taking > max(-came, 0):
        way = "came to" if came >= 0 else "went from"
        unit = "CNY" if asset == CASH else f"g of {asset}"
        moved = f"{format_amount(abs(came), asset)} {unit} {way} {account} without a document"
        raise Refused("NOTHING_TO_CORRECT", f"{moved}; corrections cannot exceed that")
    await balances.check_room(connection, asset, int(await connection.scalar(taken) or 0) + max(-change, 0))


async def _check_entry(connection: AsyncConnection, asset: str, entry: int, change: Mapping[str, int]) -> None:
    """Raise BadValue for an entry that has moved nothing between accounts, Refused if its corrections would pass it."""
    lines = await undocumented.of_entry(connection, entry, asset)
    if not lines:
        allowed = f"the sequence of an entry without a document that moved {asset} from one account to another"
        raise BadValue("entry", entry, allowed)
    for account, amount in change.items():
        moved, stands = lines.get(account, (0, 0))
        left = stands + amount
        if not min(moved, 0) <= left <= max(moved, 0):
            unit = "CNY" if asset == CASH else f"g of {asset}"
            way = "from" if moved < 0 else "to"
            text = f"entry {entry} moved {format_amount(abs(moved), asset)} {unit} {way} {account}"
            raise Refused("NOTHING_TO_CORRECT", f"{text}; corrections of it cannot exceed that")


async def pay_quality_claim(
    connection: AsyncConnection, by: str, claim_no: int, amount_fen: int, why: str, document: str
) -> int:
    """Propose to pay an upheld claim out of the venue's own account; return the proposal's number.

    Raises BadValue for an unknown claim or one that is paid, Refused (ILLEGAL_STEP) for one that is not upheld.
    """
    query = select(quality_claim.c.status, quality_claim.c.upheld, load_out.c.account)
    query = query.join(load_out, load_out.c.load_out_no == quality_claim.c.load_out_no).where(
        quality_claim.c.claim_no == claim_no
    )
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("claim", claim_no, "the number of a claim")
    if row.status != "DECIDED" or not row.upheld:
        raise Refused("ILLEGAL_STEP", f"claim {claim_no} is not upheld: only claims decided as upheld are paid")
    where = (OVER_SHORT_ACCOUNT, row.account)
    return await propose(connection, by, *where, amount_fen, why, document, claim_no=claim_no)


def _legs(row: Row[Any]) -> Legs:
    asset = asset_of(row)
    amount = row.amount_fen if asset == CASH else row.fine_mg
    moved = ((row.from_account, -amount), (row.to_account, amount))
    return tuple((account, asset, amount) for account, amount in moved if account is not None)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Queue the movement for the engine. Raises Refused (NOTHING_TO_CORRECT, SUM_TOO_LARGE) as ``propose`` does."""
    rows = await advance(connection, correction, CORRECTION, by, "approve", subjects)
    for row in rows.values():
        await _check_moved(connection, asset_of(row), row.from_account, row.to_account, row.entry)
    await outbox.put(connection, "correction", by, [(number, _legs(row)) for number, row in rows.items()])


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Close the corrections; no money moves."""
    await advance(connection, correction, CORRECTION, by, "decline", subjects)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Complete the corrections: the engine has moved money or gold."""
    await advance(connection, correction, CORRECTION, by, "complete", subjects)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Close the corrections: the engine has refused, for example money that orders have reserved."""
    for number, reason in reasons.items():
        await advance(connection, correction, CORRECTION, by, "refuse", [number], {"reason": reason})
