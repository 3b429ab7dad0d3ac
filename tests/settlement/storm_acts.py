"""Acts of clerks about metal whose documents meet, marked by the kinds of documents that they are about."""

import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Any, Final, TypeVar

from sqlalchemy import Select, Table, select

from goldx.client.keys import Key
from goldx.protocol.units import BadValue
from settlement.assays import assay, two_parties
from settlement.assays.assay import Result
from settlement.base import working_days
from settlement.base.refusal import Refused
from settlement.charges import tariff
from settlement.intake import intake, melting, screening_alarms, weight_corrections
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.load_outs import handing_over, quality_claims
from settlement.lots import acceptance, provenance, sampling
from settlement.lots.provenance import ProvenanceRecord
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import GrossWeight, parse_shown_weight
from settlement.reconciliation import (
    break_work,
    breaks,
    count_cancels,
    count_results,
    count_sessions,
    counting,
    resolutions,
    warehouse_keys,
    warehouse_register,
    warehouse_statement,
)
from settlement.reconciliation.count_results import CountResult as Counted
from settlement.reconciliation.count_sessions import CountExtent
from settlement.recycling import aml, offers, sellers, tickets
from settlement.recycling.sellers import Identity
from settlement.tables.counts import inventory_count
from settlement.tables.custody import encumbrance, transfer
from settlement.tables.load_outs import load_out, load_out_lot
from settlement.tables.lots import lot, lot_lock
from settlement.tables.reconciliation import recon_break, warehouse_key
from settlement.tables.recycling import aml_report
from settlement.workbooks.cells import BadFile
from tests.settlement.intake.lot_steps import SCRAP, advised, screened
from tests.settlement.small_exchange import ONE, OTHER, THIRD, SmallExchange, public_pem
from tests.settlement.test_conservation import Clerks

ACCOUNTS: Final = ("A.H", "B.H", "VENUE")
KEYS: Final = tuple(Key.generate(f"WAREHOUSE-{number}") for number in range(3))
SELLERS: Final = (Identity("PASSPORT", "E12345678", "One"), Identity("PASSPORT", "E87654321", "Two"))
MORE: Final = 7
"""Acts that a clerk draws in each round, besides those that it is dealt."""
Act = TypeVar("Act", bound=Callable[..., Awaitable[None]])


def about(*kinds: str, times: int = 1) -> Callable[[Act], Act]:
    """Mark an act of the storm by the kinds of documents that it is about; it is drawn ``times`` as often."""

    def mark(act: Act) -> Act:
        act.about, act.times = kinds, times  # type: ignore[attr-defined]
        return act

    return mark


class MetalActs(Clerks):
    """Acts about lots, receipts, load-outs, assays, custody, counts and breaks."""

    def __init__(self, exchange: SmallExchange, seed: int) -> None:
        super().__init__(exchange)
        self._dice = random.Random(seed)
        self._names = (f"{id(self)}-{number}" for number in itertools.count())
        self.done: Counter[str] = Counter()

    @classmethod
    def acts(cls) -> dict[str, Callable[..., Awaitable[None]]]:
        """Return the acts that are marked, by name."""
        found = {name: getattr(cls, name) for name in dir(cls)}
        return {name: act for name, act in found.items() if hasattr(act, "about")}

    async def run(self, dealt: Sequence[Callable[..., Awaitable[None]]]) -> None:
        """Do the acts that are dealt, and some that are drawn, in random order."""
        acts = list(self.acts().values())
        turns = [*dealt, *self._dice.choices(acts, [act.times for act in acts], k=MORE)]  # type: ignore[attr-defined]
        self._dice.shuffle(turns)
        for act in turns:
            await self.try_one(act)

    async def try_one(self, act: Callable[..., Awaitable[None]]) -> None:
        try:
            await act(self)
        except (Refused, BadValue, BadFile):
            return
        self.done[act.__name__] += 1

    def _account(self) -> str:
        return self._dice.choice(ACCOUNTS)

    def _small(self) -> int:
        return self._dice.randint(1, 5)

    async def _any(self, query: Select[Any]) -> Any:
        """Return one row of a query. Raises BadValue if it has none."""
        async with self._exchange.engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            raise BadValue("number", 0, "a document that can take the step")
        return self._dice.choice(rows)

    async def _one(self, table: Table, *states: str) -> int:
        """Return the number of a document in one of these states."""
        column = table.c.state if table is lot else table.c.status
        return int((await self._any(select(*table.primary_key.columns).where(column.in_(states))))[0])

    async def _lot(self) -> int:
        return await self._one(lot, "REGISTERED", "RECEIPTED", "ALLOCATED")

    @about("lot", "receipt")
    async def bars(self) -> None:
        await self._bars(self._account(), [self._dice.randint(1_000, 20_000)])

    @about("receipt", times=2)
    async def issue(self) -> None:
        await self._issue()

    @about("proposal", times=14)
    async def approve(self) -> None:
        await self._approve(self._dice.randint(0, 99))

    @about("proposal")
    async def decline(self) -> None:
        await self._decline(self._dice.randint(0, 99))

    @about("receipt_cancel")
    async def cancel_receipt(self) -> None:
        await self._cancel_receipt(await self._one(lot, "RECEIPTED"))

    @about("load_out", times=3)
    async def load_out(self) -> None:
        await self._load_out(self._account(), self._dice.choice((99_900, 199_800)))

    @about("load_out")
    async def release(self) -> None:
        await self._release(await self._one(load_out, "SUCCESS"))

    @about("lot_reservation", times=2)
    async def sell_by_name(self) -> None:
        await self._sell_lot(self._account(), await self._lot(), self._dice.choice(("ACCEPT", "DECLINE", "LOSE")))

    @about("load_out_cancel", "load_out")
    async def cancel_load_out(self) -> None:
        await self._cancel_load_out(await self._one(load_out, "SUCCESS"))

    @about("load_out")
    async def expire(self) -> None:
        await self._expire(self._dice.choice((0, 1, 2, 20)))

    @about("pickup_code")
    async def code(self) -> None:
        await self._act(handing_over.propose_code, ONE, await self._one(load_out, "SUCCESS"), "271828", "271828")

    @about("claim", times=2)
    async def claim(self) -> None:
        """A claim about a lot that was handed out; the umpire's figure decides."""
        handed_out = select(load_out_lot.c.load_out_no, load_out_lot.c.lot_id).join(load_out)
        number, lot_id = await self._any(handed_out.where(load_out.c.status == "RELEASED"))
        claim = await self._act(quality_claims.open_claim, ONE, number, [lot_id], "low", seal_whole=True)
        await self._act(quality_claims.send, ONE, claim, "LAB-U")
        await self._act(quality_claims.propose, ONE, claim, self._dice.choice((99_860, 99_880)), 30_000)

    @about("lot")
    async def freeze(self) -> None:
        await self._freeze(await self._lot())

    @about("lot")
    async def unfreeze(self) -> None:
        locked = select(lot_lock.c.lot_id).where(lot_lock.c.kind == "FREEZE", lot_lock.c.lifted_at.is_(None))
        await self._unfreeze((await self._any(locked))[0])

    @about("pledge")
    async def pledge(self) -> None:
        await self._pledge(self._account(), self._dice.randint(1, 50_000))

    @about("pledge")
    async def pledge_lot(self) -> None:
        row = await self._any(select(lot.c.account, lot.c.lot_id).where(lot.c.state == "RECEIPTED"))
        await self._pledge_lot(row.account, row.lot_id)

    async def _bound(self, kind: str) -> int:
        live = select(encumbrance.c.encumbrance_no).where(encumbrance.c.kind == kind, encumbrance.c.status == "LIVE")
        return int((await self._any(live))[0])

    @about("pledge_release")
    async def release_pledge(self) -> None:
        await self._release_pledge(await self._bound("PLEDGE"))

    @about("legal_hold")
    async def hold(self) -> None:
        await self._hold(self._account(), self._dice.randint(0, 50_000), await self._lot())

    @about("legal_lift")
    async def lift(self) -> None:
        await self._lift(await self._bound("LEGAL_HOLD"))

    @about("transfer")
    async def transfer(self) -> None:
        row = await self._any(select(lot.c.lot_id, lot.c.warehouse).where(lot.c.state.in_(("REGISTERED", "RECEIPTED"))))
        await self._transfer(row.lot_id, "XM2" if row.warehouse == "XM1" else "XM1")

    @about("transfer")
    async def ship(self) -> None:
        await self._ship(await self._one(transfer, "MADE"))

    @about("transfer")
    async def receive(self) -> None:
        await self._receive(await self._one(transfer, "SHIPPED"), self._dice.random() < 0.8)

    @about("fee")
    async def accrue(self) -> None:
        await self._accrue(self._small())

    @about("fee")
    async def bill(self) -> None:
        await self._bill()

    @about("tariff")
    async def figure(self) -> None:
        await self._act(tariff.propose, ONE, "OVERDUE", self._small(), date(2099, 1, self._small()))

    @about("acceptance")
    async def rule(self) -> None:
        await self._act(acceptance.propose, ONE, "AU", acceptance.Rule(("NONAPPROVED_BAR",)))

    @about("lot_lift", "lot")
    async def quarantine(self) -> None:
        number = await screened(self._exchange, serial=next(self._names))
        await self._act(intake.quarantine, ONE, number, "police", "order 7")
        await self._act(intake.propose_lift, ONE, number, "withdrawn")

    @about("lot_return", "lot")
    async def give_back(self) -> None:
        number = await screened(self._exchange, serial=next(self._names))
        await self._act(intake.reject, ONE, number, "magnetic")
        await self._act(intake.propose_return, ONE, number, "Depositor")

    @about("weight_correction", "lot")
    async def weigh_again(self) -> None:
        number = await screened(self._exchange, serial=next(self._names))
        weight = GrossWeight("SCALE-1", parse_shown_weight("grams", "100.05"))
        await self._act(weight_corrections.propose, ONE, number, weight, "mistyped")

    @about("provenance")
    async def accept_risk(self) -> None:
        number = await advised(self._exchange, serial=next(self._names))
        record = ProvenanceRecord("BANK", "CN", None, None, "KYB-1", ("D-1",), conflict_area=True)
        await self._act(provenance.write, ONE, {number: record})
        await self._act(provenance.propose_acceptance, ONE, number, "EDD-1")

    @about("lot")
    async def explain_alarm(self) -> None:
        """The assay is far from the screening; a third person explains it."""
        number = await screened(self._exchange, serial=next(self._names))
        seal = f"P-{number}"
        await self._act(sampling.draw, ONE, {number: [SealedSample("A", seal, 500)]})
        await self._act(assay.fire_assay, OTHER, {number: Result("LAB-A", (889_000, 889_000), seal)})
        await self._act(screening_alarms.explain, THIRD, number, "drilled, whole")

    @about("lot", "assay_exchange", "assay_exchange_party")
    async def assay_twice(self) -> None:
        """Two bags are melted into one lot, which two laboratories assay; they agree, or an umpire decides."""
        name = next(self._names)
        bags = [await screened(self._exchange, "100.00", serial=f"{name}-{n}", **SCRAP) for n in (1, 2)]
        weight = MeltWeight("SCALE-1", parse_shown_weight("grams", "199.00"))
        child = await self._act(melting.combine, ONE, bags, BarKey("STORM", name, 0), weight)
        samples = [SealedSample(party, f"{party}-{child}", 100) for party in ("A", "B", "UMPIRE")]
        await self._act(sampling.draw, ONE, {child: samples})
        number = await self._act(two_parties.begin, ONE, child, "LAB-A", "LAB-B")
        if self._dice.random() < 0.2:
            await self._act(two_parties.void, ONE, number, "no answer")
            return
        found = {"A": (900_000, 900_100), "B": self._dice.choice(((900_100, 900_000), (905_000, 905_100)))}
        nonces = {party: party * 32 for party in found}
        for party, ppm in found.items():
            hashed = two_parties.commitment(child, ppm, nonces[party].lower())
            await self._act(two_parties.commit, ONE, number, party, hashed)
        for party, ppm in found.items():
            revealed = (party, ppm, nonces[party].lower(), f"{party}-{child}")
            state = await self._act(two_parties.reveal, ONE, number, *revealed)
        if state == "SPLIT":
            decided = Result("LAB-U", (902_000, 902_100, 902_000), f"UMPIRE-{child}")
            await self._act(two_parties.report, ONE, number, decided)

    @about("counter_ticket", "aml_report")
    async def sell(self) -> None:
        ticket = await self._act(tickets.open_ticket, ONE, "C1", self._dice.choice(SELLERS), "COPY", "CLEAR", "UN")
        item = tickets.TicketItem("bar", "", "NONAPPROVED_BAR", 10_000, "own")
        await self._act(tickets.add_item, ONE, ticket, item)
        await self._act(tickets.screen, ONE, ticket, {1: 99_900})
        await self._act(offers.make, ONE, ticket)
        await self._act(offers.accept, ONE, ticket)
        seller = (await self._act(tickets.find, ticket)).seller_id
        await self._act(sellers.record_due_diligence, ONE, seller, "CDD", "known")
        await self._act(offers.pay, OTHER, ticket, "CASH", f"V-{ticket}")
        await self._act(offers.deliver, ONE, [ticket], {"NONAPPROVED_BAR": "AU"})

    @about("counter_ticket")
    async def correct_name(self) -> None:
        who = self._dice.choice((ONE, OTHER))
        await self._act(sellers.correct_name, who, self._dice.randint(1, 2), self._dice.choice(("One", "Two")), "P-1")

    @about("aml_report")
    async def report(self) -> None:
        """Somebody is turned away at the counter, which is reported to the authority."""
        await self._act(tickets.turn_away, ONE, "C1", "would not show a document")
        await self._act(aml.decide, ONE, await self._one(aml_report, "DUE"), "file", "R-1")

    @about("warehouse_key")
    async def propose_key(self) -> None:
        pem = public_pem(self._dice.choice(KEYS))
        await self._act(warehouse_keys.propose, ONE, "XM1", pem, "compared")

    @about("warehouse_key")
    async def end_key(self) -> None:
        await self._act(warehouse_keys.end, ONE, await self._one(warehouse_key, "LIVE"), "lost")

    @about("break", "warehouse_key")
    async def sign_statement(self) -> None:
        day = working_days.today()
        lines = [line._replace(day=day) for line in await self._act(warehouse_register.expected, "XM1")]
        data = str(lines).encode()
        live = await self._any(select(warehouse_key.c.public_key).where(warehouse_key.c.status == "LIVE"))
        signed = next(key for key in KEYS if key.public_bytes == live.public_key).sign(data)
        await self._act(warehouse_statement.take_in, ONE, "XM1", day, "s.csv", data, lines, signed)

    @about("break")
    async def enter_statement(self) -> None:
        """Two people take in a statement that lacks a bar."""
        lines = await self._act(warehouse_register.expected, "XM1")
        what = ("XM1", working_days.today(), "s.csv", str(lines).encode(), lines[1:])
        for by in (ONE, OTHER):
            await self._act(warehouse_statement.take_in, by, *what)

    @about("break", times=2)
    async def find_breaks(self) -> None:
        subjects = self._dice.sample(("lot:1", "lot:2", "A.H", "B.H"), 2)
        found = [breaks.Break("STORM", subject, "AU", 1, 2) for subject in subjects]
        await self._act(breaks.record_run, ONE, "storm", len(found), found)

    @about("break")
    async def explain(self) -> None:
        number = await self._one(recon_break, "OPEN")
        await self._act(break_work.assign, ONE, number, OTHER, "is hers")
        await self._act(break_work.explain, ONE, number, ONE, "is looked into")

    @about("break_write_off", "break", times=2)
    async def write_off(self) -> None:
        await self._act(resolutions.propose_write_off, ONE, await self._one(recon_break, "OPEN"), "is too small")

    @about("inventory_count")
    async def count(self) -> None:
        extent = CountExtent(sample=1)
        await self._act(count_sessions.propose, ONE, "XM1", (ONE, OTHER), "sample", extent)

    @about("inventory_count", times=2)
    async def count_through(self) -> None:
        """Both counters find what is listed, or the count is given up."""
        number = await self._one(inventory_count, "COUNTING")
        if self._dice.random() < 0.2:
            await self._act(count_cancels.cancel, THIRD, number, "fire alarm")
            return
        bars = [BarKey(row.refiner, row.serial, row.year) for row in await self._act(count_sessions.lines, number)]
        for counter in (ONE, OTHER):
            await self._act(count_results.enter, counter, number, [Counted(bar) for bar in bars])
            await self._act(count_results.sign, counter, number)
        await self._act(counting.close, THIRD, number)
