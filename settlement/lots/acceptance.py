"""The rules by which a class accepts lots, beside its instrument's band of fineness.

A rule names forms, warehouses, the smallest lot, and how replicates and splits are decided. It is proposed by one
person and approved by another; the newest approved one counts. A class without one takes its instrument's form, in
every warehouse, of any size. Lots are checked when they are advised, certified and registered, and when a receipt is
proposed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import FORMS
from goldx.protocol.units import MAX_WEIGHT_MG, BadValue, format_weight
from settlement.base import proposals
from settlement.base.arithmetic import FINENESS_RULES, fine_weight, format_fineness
from settlement.base.database import among
from settlement.base.paging import ALL, Page, PageRequest, cut
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.documents.lots import ACCEPTANCE
from settlement.lots import classes, warehouses
from settlement.lots.splitting import UMPIRE_RULES
from settlement.tables.ledger import instrument
from settlement.tables.lots import acceptance


class AcceptanceTerms(NamedTuple):
    """The terms on which a class takes lots. Fineness in e5; no ``warehouses``: every one."""

    symbol: str
    min_fineness: int
    max_fineness: int
    forms: tuple[str, ...]
    warehouses: tuple[str, ...]
    min_fine_mg: int
    fineness_rule: str
    umpire_rule: str

    def objections(self, form: str, place: str, fineness_e5: int, fine_mg: int) -> dict[str, str]:
        """Return why the class does not take a lot, by topic: form, warehouse, fineness, weight."""
        found = {}
        if form not in self.forms:
            found["form"] = f"{form} is not allowed; {self.symbol} takes {', '.join(self.forms)}"
        if self.warehouses and place not in self.warehouses:
            found["warehouse"] = f"{place} is not allowed; {self.symbol} lies in {', '.join(self.warehouses)}"
        if not self.min_fineness <= fineness_e5 <= self.max_fineness:
            low, high = format_fineness(self.min_fineness), format_fineness(self.max_fineness)
            shown = format_fineness(fineness_e5)
            found["fineness"] = f"{shown} per mille is outside the band of {self.symbol}, {low} to {high}"
        if fine_mg < self.min_fine_mg:
            least = format_weight(self.min_fine_mg)
            found["weight"] = f"{format_weight(fine_mg)} g fine is less than {self.symbol}'s smallest lot, {least} g"
        return found


async def terms(connection: AsyncConnection) -> dict[str, AcceptanceTerms]:
    """Return the terms of every class that the exchange has defined."""
    live = select(acceptance).where(acceptance.c.status == ACCEPTANCE.steps["approve"].after)
    rules = {row.symbol: row for row in await connection.execute(live)}
    found = {}
    for grade in await connection.execute(select(instrument)):
        band = (grade.symbol, grade.min_fineness, grade.max_fineness)
        rule = rules.get(grade.symbol)
        if rule is None:
            found[grade.symbol] = AcceptanceTerms(*band, (grade.form,), (), 0, FINENESS_RULES[0], UMPIRE_RULES[0])
        else:
            places = (tuple(rule.forms), tuple(rule.warehouses), rule.min_fine_mg)
            found[grade.symbol] = AcceptanceTerms(*band, *places, rule.fineness_rule, rule.umpire_rule)
    return found


async def check(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
    """Refuse (OUTSIDE_BAND, NOT_ACCEPTED) the first of these certified lots that its class does not take now."""
    found = await terms(connection)
    for row in rows:
        refuse(found[row.symbol], row, row.fineness_e5, row.fine_mg)


def refuse(taken: AcceptanceTerms, row: Row[Any], fineness_e5: int, fine_mg: int, place: str | None = None) -> None:
    """Refuse a lot whose fineness or fine weight the terms do not take; ``place`` is its future warehouse."""
    for topic, text in taken.objections(row.form, place or row.warehouse, fineness_e5, fine_mg).items():
        reason = "OUTSIDE_BAND" if topic == "fineness" else "NOT_ACCEPTED"
        raise Refused(reason, f"lot {row.lot_id}: {text}")


def declared_problems(
    taken: AcceptanceTerms, form: str, place: str, gross_cg: int, fineness_e5: int
) -> Mapping[str, str]:
    """Return why a class does not take a lot as it is declared, by topic."""
    return taken.objections(form, place, fineness_e5, fine_weight(gross_cg, fineness_e5).mg)


class Rule(NamedTuple):
    """A proposed rule: forms, warehouses (none: every one), smallest lot in fine mg, names of two rules."""

    forms: tuple[str, ...]
    warehouses: tuple[str, ...] = ()
    min_fine_mg: int = 0
    fineness_rule: str = FINENESS_RULES[0]
    umpire_rule: str = UMPIRE_RULES[0]


async def propose(connection: AsyncConnection, by: str, symbol: str, rule: Rule) -> int:
    """Propose a rule for a class; return the proposal's number. Raises BadValue."""
    await classes.check(connection, symbol)
    if not rule.forms or not set(rule.forms) <= set(FORMS):
        raise BadValue("form", list(rule.forms), "at least one of " + ", ".join(FORMS))
    for place in rule.warehouses:
        await warehouses.customs_of(connection, place)
    if not 0 <= rule.min_fine_mg <= MAX_WEIGHT_MG:
        raise BadValue("minimum_lot", rule.min_fine_mg, "fine grams, not negative")
    for name, value, known in (
        ("fineness_rule", rule.fineness_rule, FINENESS_RULES),
        ("umpire_rule", rule.umpire_rule, UMPIRE_RULES),
    ):
        if value not in known:
            raise BadValue(name, value, "one of " + ", ".join(known))
    row = {"symbol": symbol, **rule._asdict(), "forms": list(rule.forms), "warehouses": list(rule.warehouses)}
    added = (
        insert(acceptance).values(**row, status=ACCEPTANCE.steps["propose"].after).returning(acceptance.c.acceptance_no)
    )
    number = int((await connection.execute(added)).scalar_one())
    shown = {**row, "min_fine_g": format_weight(rule.min_fine_mg)}
    del shown["min_fine_mg"]
    return await proposals.propose(connection, by, "acceptance", [number], shown)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Put the rule in force, in place of the one before it."""
    mine = select(acceptance.c.symbol).where(among(acceptance.c.acceptance_no, subjects))
    before = select(acceptance.c.acceptance_no).where(
        acceptance.c.symbol.in_(mine), acceptance.c.status == ACCEPTANCE.steps["approve"].after
    )
    replaced = sorted((await connection.execute(before)).scalars())
    if replaced:
        await advance(connection, acceptance, ACCEPTANCE, by, "replace", replaced)
    await advance(connection, acceptance, ACCEPTANCE, by, "approve", subjects)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Decline the rule; the one in force stays."""
    await advance(connection, acceptance, ACCEPTANCE, by, "decline", subjects)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[AcceptanceTerms]:
    """Return what each class accepts now, by symbol."""
    found = await terms(connection)
    return cut([found[symbol] for symbol in sorted(found)], lambda one: one.symbol, page)
