"""The content of a statement of account: what an account had at both ends of a trading day, and all that moved it.

Everything follows from the ledger, the trades and the engine's holdings within the day's range of events, so the same
day gives the same content whenever it is computed. Money is in fen, gold in fine mg, times in ms since the epoch.

For money, and for each class of gold with its pledged and held parts:

    closing = opening + everything that is listed

``PaperDiffers`` is raised where that does not hold. The figures are the ledger's; where the engine had others at the
end of the day, and two people have taken that over, the statement says so under ``differences``. An account that owed
the venue money has a ``claim``: what it owed at both ends, and what changed that. While it owes anything, none of its
money is available or withdrawable.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from goldx.protocol.units import CASH
from settlement.base.sub_accounts import SUFFIXES, owner_of
from settlement.closing.canonical import canonical
from settlement.closing.day import Held
from settlement.closing.differs import PaperDiffers
from settlement.closing.statement_sources import Sources
from settlement.closing.statement_trades import AccountTrades
from settlement.documents.kinds import LOAD_INS, LOAD_OUTS, PAYMENT_CLAIM

FORMAT: Final = 1
_NO_TRADES: Final = b'"trades":[]}'
FEE: Final = "fee"
"""Kind of a ledger entry that pays a bill of fees."""
ACCOUNT_KINDS: Final = ("HOUSE", "CLIENT")
"""By the number that the engine has for each."""


def of_account(found: Sources, account: str, traded: AccountTrades) -> dict[str, Any]:
    """Return the statement of an account without the list of its trades (``written``). Raises PaperDiffers."""
    about = found.accounts[account]
    moved = found.movements.get(account, ())
    name, name_zh = found.members.get(about.member, (about.member, ""))
    symbols = {asset for name, asset in {*found.opening, *found.closing} if asset != CASH and owner_of(name) == account}
    content = {
        "format": FORMAT,
        "paper": "account_statement",
        "day": found.day.day.isoformat(),
        "first_sequence": found.day.first,
        "last_sequence": found.day.last,
        "ended_at": found.ended_at,
        "days_to_object": found.days_to_object,
        "member": about.member,
        "name": name,
        "name_zh": name_zh,
        "account": account,
        "account_kind": ACCOUNT_KINDS[about.kind],
        "owner": about.owner,
        "cash": _cash(found, account, traded, moved),
        "metal": [_metal(found, account, symbol, traded, moved) for symbol in sorted(symbols)],
        "movements": list(moved),
        "lots": list(found.lots.get(account, ())),
    }
    if found.issuer is not None:
        content["issuer"] = found.issuer
    if account in found.owed_before or account in found.claims:
        content["claim"] = _claim(found, account)
    if account in found.differences:
        content["differences"] = list(found.differences[account])
    check(content)
    return content


def written(content: Mapping[str, Any], trades: str) -> bytes:
    """Return the canonical bytes of an account's statement with its trades, which are the last of its keys."""
    text = canonical({**content, "trades": []})
    assert text.endswith(_NO_TRADES)
    return text[: -len(_NO_TRADES)] + f'"trades":[{trades}]}}'.encode()


def _claim(found: Sources, account: str) -> dict[str, Any]:
    """Return what an account owes the venue, in fen: ``made`` are claims made, less those that ended unpaid."""
    changes = found.claims.get(account, ())
    return {
        "opening": found.owed_before.get(account, 0),
        "made": sum(record["amount"] for record in changes if record["kind"] == PAYMENT_CLAIM),
        "collected": sum(record["amount"] for record in changes if record["kind"] != PAYMENT_CLAIM),
        "closing": found.owed.get(account, 0),
        "changes": list(changes),
    }


def _cash(found: Sources, account: str, traded: AccountTrades, moved: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    money = [record for record in moved if record["asset"] == CASH]
    bank = [record["amount"] for record in money if record["kind"] == "cash"]
    bills = [record["amount"] for record in money if record["kind"] == FEE]
    other = [record["amount"] for record in money if record["kind"] not in ("cash", FEE)]
    return {
        "opening": _money(
            found.opening.get((account, CASH), 0),
            found.held_before.get((account, CASH)),
            found.owed_before.get(account, 0),
        ),
        "paid_in": sum(amount for amount in bank if amount > 0),
        "paid_out": sum(amount for amount in bank if amount < 0),
        "bought": -traded.bought_fen,
        "sold": traded.sold_fen,
        "trading_fees": -traded.fees_fen,
        "bills": sum(bills),
        "other": sum(other),
        "closing": _money(
            found.closing.get((account, CASH), 0), found.held.get((account, CASH)), found.owed.get(account, 0)
        ),
    }


def _money(balance: int, held: Held | None, owed: int) -> dict[str, int]:
    """Return a balance with what of it is available and withdrawable, and what is frozen by each reason.

    Of an account that owes the venue something, nothing is available.
    """
    orders, proceeds = (held.reserved, held.unwithdrawable) if held else (0, 0)
    available = 0 if owed else balance - orders - (held.locked if held else 0)
    return {
        "balance": balance,
        "available": available,
        "withdrawable": max(available - proceeds, 0),
        "frozen_orders": orders,
        "sale_proceeds": proceeds,
    }


def _metal(
    found: Sources,
    account: str,
    symbol: str,
    traded: AccountTrades,
    moved: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    gold = [record for record in moved if record["asset"] == symbol]
    net = [(record["kind"], record["amount"] + record["pledged"] + record["held"]) for record in gold]
    loaded_in = sum(amount for kind, amount in net if kind in LOAD_INS)
    loaded_out = sum(amount for kind, amount in net if kind in LOAD_OUTS)
    return {
        "symbol": symbol,
        "opening": _gold(found.opening, found.held_before, found.owed_before, account, symbol),
        "bought": traded.bought_mg.get(symbol, 0),
        "sold": -traded.sold_mg.get(symbol, 0),
        "load_in": loaded_in,
        "load_out": loaded_out,
        "other": sum(amount for _, amount in net) - loaded_in - loaded_out,
        "closing": _gold(found.closing, found.held, found.owed, account, symbol),
    }


def _gold(
    balances: Mapping[tuple[str, str], int],
    held: Mapping[tuple[str, str], Held],
    owed: Mapping[str, int],
    account: str,
    symbol: str,
) -> dict[str, int]:
    """Return a holding with its pledged and held parts, and what of it is available and withdrawable.

    The gold of an account that owes the venue something may be sold, and does not leave.
    """
    mine = balances.get((account, symbol), 0)
    pledged, frozen = (balances.get((account + suffix, symbol), 0) for suffix in SUFFIXES)
    engine = held.get((account, symbol))
    orders, locked, bound = (engine.reserved, engine.locked, engine.unwithdrawable) if engine else (0, 0, 0)
    available = mine - orders - locked
    return {
        "total": mine + pledged + frozen,
        "available": available,
        "withdrawable": 0 if owed.get(account) else max(available - bound, 0),
        "frozen_orders": orders,
        "resale_lock": locked,
        "pledged": pledged,
        "held": frozen,
    }


def check(content: Mapping[str, Any]) -> None:
    """Raise PaperDiffers unless what is listed leads from the opening figures to the closing ones."""
    cash = content["cash"]
    listed = sum(cash[name] for name in ("paid_in", "paid_out", "bought", "sold", "trading_fees", "bills", "other"))
    _compare(content, CASH, cash["opening"]["balance"] + listed, cash["closing"]["balance"])
    if (claim := content.get("claim")) is not None:
        changed = claim["made"] + claim["collected"]
        _compare(content, f"{CASH} owed", claim["opening"] + changed, claim["closing"])
    for metal in content["metal"]:
        listed = sum(metal[name] for name in ("bought", "sold", "load_in", "load_out", "other"))
        _compare(content, metal["symbol"], metal["opening"]["total"] + listed, metal["closing"]["total"])


def _compare(content: Mapping[str, Any], asset: str, computed: int, booked: int) -> None:
    if computed != booked:
        text = "{} of {} in {}: opening and movements make {}, the ledger has {}"
        raise PaperDiffers(text.format(content["day"], content["account"], asset, computed, booked))


def check_follows(before: Mapping[str, Any] | None, content: Mapping[str, Any]) -> None:
    """Raise PaperDiffers unless the opening figures are the closing ones of the statement before.

    ``before`` is the account's newest earlier statement, with or without its trades, None for its first one, which may
    open with anything.
    """
    if before is None:
        return
    closed = {metal["symbol"]: metal["closing"] for metal in before["metal"]}
    opened = {metal["symbol"]: metal["opening"] for metal in content["metal"]}
    pairs = [(CASH, before["cash"]["closing"], content["cash"]["opening"])]
    pairs += [(symbol, closed.get(symbol), opened.get(symbol)) for symbol in sorted(closed.keys() | opened.keys())]
    for asset, was, now in pairs:
        if was != now and any((was or {}).values()) | any((now or {}).values()):
            text = "{} of {} in {}: opens with {}, and that of {} closed with {}"
            about = (content["day"], content["account"], asset, now, before["day"], was)
            raise PaperDiffers(text.format(*about))


def of_member(found: Sources, accounts: Sequence[Mapping[str, Any]], hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement of a member: the sums of its accounts, each with the SHA-256 of its own statement.

    ``accounts`` are the contents of their statements, with the number of their trades in place of these.
    """
    first, day = accounts[0], found.day
    corrections = found.corrections.get(first["member"], ())
    symbols = sorted({metal["symbol"] for content in accounts for metal in content["metal"]})
    claims = [content["claim"] for content in accounts if "claim" in content]
    differences = [each for content in accounts for each in content.get("differences", ())]
    return {
        "format": FORMAT,
        "paper": "member_statement",
        "day": day.day.isoformat(),
        "first_sequence": day.first,
        "last_sequence": day.last,
        **{name: first[name] for name in ("ended_at", "days_to_object", "member", "name", "name_zh")},
        "cash": _summed([content["cash"] for content in accounts]),
        "metal": [
            {
                "symbol": symbol,
                **_summed([m for content in accounts for m in content["metal"] if m["symbol"] == symbol]),
            }
            for symbol in symbols
        ],
        "accounts": [
            {
                **{name: content[name] for name in ("account", "account_kind", "owner")},
                "cash": content["cash"]["closing"]["balance"],
                "metal": {metal["symbol"]: metal["closing"]["total"] for metal in content["metal"]},
                "trades": content["trades"],
                "sha256": hashes[content["account"]],
            }
            for content in accounts
        ],
        **({} if found.issuer is None else {"issuer": found.issuer}),
        **({"invoice_corrections": list(corrections)} if corrections else {}),
        **({"claim": _summed(claims)} if claims else {}),
        **({"differences": differences} if differences else {}),
    }


def _summed(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of figures of the same shape, of nested ones too."""
    found: dict[str, Any] = {}
    for name, value in records[0].items():
        if isinstance(value, Mapping):
            found[name] = _summed([record[name] for record in records])
        elif isinstance(value, int):
            found[name] = sum(record[name] for record in records)
    return found
