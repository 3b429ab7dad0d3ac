"""The folded form of typed numbers: in Python, in the database, and under every unique key that people type."""

import random
from collections.abc import Awaitable, Callable
from datetime import date

import pytest
from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.client.keys import Key
from goldx.protocol.units import BadValue
from settlement.assays import laboratories
from settlement.banking import accounts, payees, payouts, virtual_accounts
from settlement.base import registry
from settlement.base.spelling import fold, same
from settlement.custody import encumbrances, legal_holds, pledges
from settlement.intake import imports, intake, melting, pre_advice
from settlement.intake.bar_rows import BarKey, Reading
from settlement.intake.melting import MeltWeight
from settlement.ledger import cash
from settlement.lots import lots, sampling, scales, warehouses
from settlement.lots.lots import Search
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import parse_shown_weight
from settlement.reconciliation import statement_file, warehouse_statement
from settlement.recycling import counters, offers, sellers, tickets, two_way
from settlement.reports import bar_export
from settlement.tables.schema import metadata
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile
from tests.settlement import bar_lists
from tests.settlement.intake.lot_steps import advised, screened
from tests.settlement.small_exchange import FAR, ONE, PAST, SmallExchange, bars, do, refused

SPELLINGS = ("a000417", "Ａ０００４１７", "'A000417", " A000417  ", "A 000417", "‘a00 0417")


def test_spellings_of_one_number_have_one_form() -> None:
    assert {fold(spelled) for spelled in ("A000417", *SPELLINGS)} == {"a000417"}
    assert same("Σ-1", "σ–１")
    assert not same("A000417", "A00417")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BẢO TÍN", "bảo tín"),
        ("ẼB-1", "ẽb-1"),
        ("A000417", "A000417\ufe0f"),
        ("A000417", "A0\u034f00417"),
        ("A000417", "A000417\u3164"),
        ("A000417", "\u2800A000417"),
    ],
    ids=["Vietnamese", "tilde", "variation selector", "grapheme joiner", "Hangul filler", "blank of Braille"],
)
def test_small_letters_and_what_nobody_sees_tell_no_two_numbers_apart(one: str, other: str) -> None:
    assert (one + other).isprintable()
    assert same(one, other)


async def test_the_database_folds_as_the_program_does(engine: AsyncEngine) -> None:
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    alphabet = [chr(code) for code in (*range(1, 0x3000), *range(0xFE00, 0x10000)) if not 0xD800 <= code < 0xE000]
    alphabet = [char for char in alphabet if char.isprintable() or char.isspace()]
    words = alphabet + ["".join(dice.choices(alphabet, k=8)) for _ in range(2_000)]
    async with engine.connect() as connection:
        folded = await connection.execute(
            text("SELECT folded(w) FROM unnest(CAST(:words AS text[])) WITH ORDINALITY AS t (w, n) ORDER BY n"),
            {"words": words},
        )
        different = [(word, there) for word, there in zip(words, folded.scalars(), strict=True) if there != fold(word)]
    assert different == [], seed


@pytest.mark.parametrize("spelled", SPELLINGS)
async def test_a_bar_has_one_lot_however_it_is_spelled(exchange: SmallExchange, spelled: str) -> None:
    number = await advised(exchange, serial="A000417")
    row = {"serial": spelled, "refiner": " hx"}
    with pytest.raises(BadFile, match=f"is lot {number} of the register"):
        await do(exchange, pre_advice.pre_advise, ONE, [bar_lists.declared(bars([row]))[0]])
    with pytest.raises(BadFile, match="stands in line 2 already"):
        bar_lists.declared(bars([{"serial": "B1"}, {"serial": "'b 1"}]))
    async with exchange.engine.connect() as connection:
        assert [found.lot_id for found in await lots.listing(connection, Search(serial=spelled, refiner="ｈｘ"))] == [
            number
        ]
        assert (await lots.find(connection, [number]))[number].serial == "A000417", "kept as it was typed"
    with pytest.raises(Exception, match="uq_lot_refiner_serial_year"):
        async with exchange.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO lot (refiner, serial, year, symbol, form, account, warehouse, declared_gross_cg, "
                    "declared_fineness_e5, state) "
                    "SELECT refiner, :typed, year, symbol, form, account, warehouse, 1, 1, 'PRE_ADVISED' FROM lot"
                ),
                {"typed": spelled},
            )


async def test_another_year_or_none_is_asked_about(exchange: SmallExchange) -> None:
    await advised(exchange, serial="A1", year="2024")
    for year in ("2023", ""):
        with pytest.raises(BadFile, match="may be HX A1 2024") as found:
            await advised(exchange, serial="a1", year=year)
        assert [error.column for error in found.value.errors] == ["year"]
    with pytest.raises(BadFile, match="may be"):
        await do(
            exchange, imports.take_in, ONE, "declared", "b.csv", bars([{"serial": "B"}, {"serial": "b", "year": ""}])
        )
    said = Reading(other_years=True)
    taken = await do(
        exchange, imports.take_in, ONE, "declared", "a.csv", bars([{"serial": "a1", "year": "2023"}]), said
    )
    async with exchange.engine.connect() as connection:
        history = await lots.history(connection, taken.lots[0])
    assert history[0].detail["other_years"] is True
    with pytest.raises(BadFile, match="HX A1 2024 is, with another year"):
        await do(exchange, imports.take_in, ONE, "measured", "m.csv", bars([{"serial": "A1", "year": "2020"}]))
    lot_ids = [await screened(exchange, serial=serial) for serial in ("M1", "M2")]
    melted = MeltWeight("SCALE-1", parse_shown_weight("grams", "200.00"))
    with pytest.raises(BadValue, match="a number of its own"):
        await do(exchange, melting.combine, ONE, lot_ids, BarKey("hx", "a1", 0), melted)


async def test_measured_rows_find_the_lot_by_any_spelling(exchange: SmallExchange) -> None:
    number = await advised(exchange, serial="A000417")
    taken = await do(exchange, imports.take_in, ONE, "measured", "m.csv", bars([{"serial": "'ａ 000417"}]))
    assert taken.lots == [number]


async def test_payments_seals_papers_and_codes_are_unique_however_they_are_spelled(exchange: SmallExchange) -> None:
    await do(exchange, cash.propose, ONE, "A.H", 100, "BANK-1")
    with pytest.raises(BadValue, match="bank_reference"):
        await do(exchange, cash.propose, ONE, "A.H", 100, "bank－1 ")
    number = await screened(exchange)
    both = [SealedSample("A", "P-1", 500), SealedSample("B", "p-1 ", 500)]
    with pytest.raises(BadValue, match="seal"):
        await do(exchange, sampling.draw, ONE, {number: both})
    await do(exchange, sampling.draw, ONE, {number: [SealedSample("A", "P-1", 500)]})
    other = await screened(exchange, serial="A2")
    with pytest.raises(BadValue, match="seal"):
        await do(exchange, sampling.draw, ONE, {other: [SealedSample("A", "p-1", 500)]})
    for add in (
        lambda c: laboratories.add(c, ONE, "lab-a", "x", ["CMA"], "L-9", (PAST, FAR)),
        lambda c: laboratories.add(c, ONE, "LAB-Z", "x", ["CMA"], " l-lab-a", (PAST, FAR)),
        lambda c: laboratories.renew(c, ONE, "LAB-B", ["CMA"], "L－LAB-A", (PAST, date(2098, 1, 1))),
        lambda c: warehouses.add(c, ONE, "xm1", "Warehouse", "Xiamen"),
        lambda c: scales.add(c, ONE, "scale-1", "XM1", 1, 3_000_000, "CAL-1", FAR),
        lambda c: registry.add_staff(c, ONE, "CLERK-1", "Another", ["settle"]),
    ):
        with pytest.raises(BadValue, match=r"taken|no other"):
            await do(exchange, add)


async def test_members_keys_counters_and_accounts_at_banks_are_unique_however_they_are_spelled(
    exchange: SmallExchange,
) -> None:
    """Each is added once, and a second time otherwise spelled."""
    public = [Key.generate(name).public_bytes for name in ("one", "other")]

    def adding(spelled: int) -> dict[str, Callable[[AsyncConnection], Awaitable[object]]]:
        key, counter, bank = (("K-1", "C-1", "35020001AB"), ("k-1", "c-1", "３５０２ 0001ab"))[spelled]
        payee = payouts.Payee("Member A", ("6222-1", "６２２２－1")[spelled], "ICBC")
        member = ("A", "a")[spelled]
        return {
            "member": lambda c: registry.add_member(c, ONE, member, "Member A"),
            "key": lambda c: registry.add_key(c, ONE, key, public[spelled], member_code="A"),
            "counter": lambda c: counters.add(c, ONE, counter, "A", "A.H", "XM1", "Counter"),
            "bank account": lambda c: accounts.add(c, ONE, bank, "ICBC", "Venue"),
            "virtual account": lambda c: virtual_accounts.add(c, ONE, bank, "A.H"),
            "payee": lambda c: payees.propose(c, ONE, "A", payee),
        }

    for add in adding(0).values():
        await do(exchange, add)
    for name, add in adding(1).items():
        print(name)
        with pytest.raises(BadValue, match=r"taken|not added yet|nobody's|does not have yet|no other"):
            await do(exchange, add)


async def test_a_payment_over_the_counter_has_one_number_however_it_is_spelled(exchange: SmallExchange) -> None:
    await do(exchange, registry.add_member, ONE, "A", "Member A")
    await do(exchange, counters.add, ONE, "C1", "A", "A.H", "XM1", "Counter")
    price = two_way.PostedPrice(two_way.VENUE, "NONAPPROVED_BAR", 60_000, 61_000, 0, 99_000)
    await do(exchange, two_way.post, ONE, price)
    who = sellers.Identity("PASSPORT", "E12345678", "One")
    for number, reference in enumerate(("V-1", " v－1"), 1):
        await do(exchange, tickets.open_ticket, ONE, "C1", who, "COPY", "CLEAR", "UN")
        await do(exchange, tickets.add_item, ONE, number, tickets.TicketItem("bar", "", "NONAPPROVED_BAR", 100, "own"))
        await do(exchange, tickets.screen, ONE, number, {1: 99_900})
        await do(exchange, offers.make, ONE, number)
        await do(exchange, offers.accept, ONE, number)
        paying = do(exchange, offers.pay, "clerk-2", number, "TRANSFER", reference)
        if number == 1:
            await paying
        else:
            with pytest.raises(BadValue, match="payment_reference"):
                await paying


NOT_TYPED = {
    "acceptance.symbol",
    "account_statement.member",
    "day_difference.account",
    "day_difference.asset",
    "day_signature.signed_by",
    "fee_accrual.account",
    "fee_accrual.kind",
    "fee_accrual.subject",
    "fee_accrual.symbol",
    "fee_bill.account",
    "file.about",
    "file.kind",
    "invoice.member",
    "ledger_account.asset",
    "ledger_account.kind",
    "ledger_account.name",
    "lot_lock.kind",
    "payment_order.end_to_end",
    "recon_break.asset",
    "recon_break.kind",
    "recon_break.scope",
    "recon_break.subject",
    "standing_change.change_id",
    "tariff.name",
    "virtual_account_end.number",
    "withdrawal.client_ref",
    "withdrawal.member",
}
"""Unique texts that are words of the program, codes that are looked up, or a program's own reference."""


def test_every_number_that_is_typed_and_unique_is_compared_folded() -> None:
    found = set()
    for table in metadata.sorted_tables:
        for index in table.indexes | {one for one in table.constraints if isinstance(one, UniqueConstraint)}:
            if isinstance(index, Index) and (not index.unique or "folded(" in str([*map(str, index.expressions)])):
                continue
            found |= {f"{table.name}.{column.name}" for column in index.columns if isinstance(column.type, Text)}
    assert found == NOT_TYPED


async def test_an_order_and_a_pledge_are_one_however_they_are_spelled(exchange: SmallExchange) -> None:
    await exchange.issue([{}])
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "BANK", "Bank")
    await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 1_000, "P-1")
    with pytest.raises(BadValue, match="document"):
        await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 1_000, "ｐ-1")
    await exchange.approve(await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 1_000, "COURT", "C-1"))
    await exchange.round_trip()
    async with exchange.engine.connect() as connection:
        (hold,) = await encumbrances.listing(connection, encumbrances.LEGAL_HOLD)
    await refused(exchange, "NOT_PAIRED", legal_holds.propose_lifting, ONE, hold.encumbrance_no, "c–1 ")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_count_list_is_read_by_its_own_register(exchange: SmallExchange, kind: str) -> None:
    for serial, seal in (("'A 1 ", "S–1"), ("Ｂ２", "'s 2")):
        number = await advised(exchange, serial=serial)
        await do(exchange, intake.arrive, ONE, {number: seal})
    (row,) = bar_lists.declared(bars([{"serial": "C"}]))
    for bad in ("=A1", "'=A1", "＝A1", "x" * 33, " ", "'"):
        with pytest.raises((BadValue, BadFile), match="serial"):
            await do(exchange, pre_advice.pre_advise, ONE, [row._replace(key=BarKey("HX", bad, 2024))])
        with pytest.raises(BadValue, match="seal"):
            await do(exchange, intake.arrive, ONE, {number: bad})
    with pytest.raises(BadFile, match="year"):
        await do(exchange, pre_advice.pre_advise, ONE, [row._replace(key=BarKey("HX", "C", 5))])
    async with exchange.engine.connect() as connection:
        listed = await bar_export.count_list(connection, "XM1", kind)
        lines = statement_file.read(sheets.read(listed), Reading())
        found = await warehouse_statement.compare(connection, "XM1", lines)
    assert (found.bars, found.lots, found.breaks) == (2, 2, ())
