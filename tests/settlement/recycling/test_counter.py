"""The recycling counter: sellers, offers, payment by two people, and reports of cash."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, working_days
from settlement.base.refusal import Refused
from settlement.lots import lots, provenance
from settlement.recycling import aml, offers, sellers, tickets, two_way
from settlement.recycling.sellers import Identity
from settlement.tables.recycling import counter_ticket, seller
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile
from tests.settlement.commands import clerk
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, refused

FIRST = Identity("RESIDENT_ID", "11010519491231002X", "甲某某")
SECOND = Identity("PASSPORT", "E12345678", "Seller Two")
"""The first is the example of GB 11643 itself."""


async def ticket(
    connection: AsyncConnection,
    seller: Identity = FIRST,
    code: str = "CA",
    items: Sequence[tuple[int, int]] = ((10_000, 99_900),),
) -> int:
    """A ticket with its offer accepted; items as (0.01 g, e5)."""
    number = await tickets.open_ticket(connection, ONE, code, seller, "COPY-1", "CLEAR", "UN 2026-11")
    for gross_cg, _ in items:
        await tickets.add_item(
            connection, ONE, number, tickets.TicketItem("ring", "足金", "SCRAP_JEWEL", gross_cg, "own")
        )
    await tickets.screen(connection, ONE, number, {line: e5 for line, (_, e5) in enumerate(items, 1)})
    await offers.make(connection, ONE, number)
    await offers.accept(connection, ONE, number)
    return number


def worth(fen: int) -> list[tuple[int, int]]:
    """Items for which the venue pays about a given amount: 589.05 CNY a gram at 1000 per mille."""
    return [(fen * 100 // 58_905 + 1, 100_000)]


def test_an_identity_is_checked_and_compared_in_one_form() -> None:
    assert sellers.checked("RESIDENT_ID", "11010519491231002x", " 甲某某 ") == FIRST
    assert sellers.checked("PASSPORT", " e12345678 ", "Seller Two") == SECOND


@pytest.mark.parametrize(
    ("id_type", "number"),
    [
        ("RESIDENT_ID", "110105194912310021"),  # check digit
        ("RESIDENT_ID", "350200200002300013"),  # born on 30 February
        ("RESIDENT_ID", "350200299912310010"),  # not born yet
        ("RESIDENT_ID", "99999900000000000X"),  # no such place
        ("RESIDENCE_PERMIT", "911840198001010011"),  # check digit
        ("PASSPORT", "E1"),
    ],
)
def test_an_identity_number_that_nobody_can_have_is_refused_and_not_shown(id_type: str, number: str) -> None:
    with pytest.raises(BadValue) as bad:
        sellers.checked(id_type, number, "甲")
    assert bad.value.field == "id_number"
    assert number not in str(bad.value)


def test_a_masked_number_shows_five_characters_of_a_long_number_and_two_of_a_short_one() -> None:
    assert sellers.masked_number(FIRST.number) == "110*************2X"
    assert sellers.masked_number("E12345678") == "E12****78"
    assert sellers.masked_number("AB123") == "***23"


async def test_a_seller_is_recognized_by_a_hash_and_no_secret_is_kept(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        one = await sellers.recognize(connection, ONE, FIRST)
        again = await sellers.recognize(connection, ONE, FIRST._replace(name="甲 某某"))
        other = await sellers.recognize(connection, ONE, SECOND)
        assert one.seller_id == again.seller_id != other.seller_id
        assert (one.masked_number, one.masked_name) == ("110*************2X", "甲**")
        dump = str((await connection.execute(select(seller))).all())
        log = str((await connection.execute(text("SELECT subject, detail FROM audit_log"))).all())
    for secret in (FIRST.number, FIRST.name, SECOND.number, SECOND.name):
        assert secret not in dump + log


async def test_an_offer_follows_from_the_posted_price(exchange: SmallExchange) -> None:
    """12.34 g at 750: fine 9.255 g, payable 99% = 9.162 g, at 595.00 = 5451.39; domain sheet 3.2, 4.3."""
    async with exchange.engine.begin() as connection:
        number = await ticket(connection, items=[(1_234, 75_000), (10_000, 99_900)])
        one, two = await tickets.items_of(connection, number)
        assert (one.fine_mg, one.payable_mg, one.value_fen) == (9_255, 9_162, 545_139)
        assert (two.fine_mg, two.payable_mg, two.value_fen) == (99_900, 98_901, 5_884_610)
        assert (await tickets.find(connection, number)).offered_fen == 545_139 + 5_884_610
        await two_way.post(connection, ONE, two_way.PostedPrice("A", "SCRAP_JEWEL", 60_100, 61_000, 0, 100_000))
        mine, theirs = await ticket(connection, code="CA"), await ticket(connection, code="CB")
        assert (await tickets.find(connection, mine)).offered_fen == 6_003_990
        assert (await tickets.find(connection, theirs)).offered_fen == 5_884_610


async def test_a_price_of_yesterday_does_not_count(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE posted_price SET at = at - 86400000"))
        await connection.execute(text("SET LOCAL session_replication_role = origin"))
        with pytest.raises(Refused, match="today") as refused:
            await ticket(connection)
        assert refused.value.reason == "NO_PRICE"


async def test_a_price_out_of_bounds_is_refused(exchange: SmallExchange) -> None:
    price = two_way.PostedPrice(two_way.VENUE, "SCRAP_JEWEL", 60_000, 61_000, 0, 99_000)
    wrong = (
        price._replace(bid=61_001),
        price._replace(bid=0),
        price._replace(adjustment=-60_000),
        price._replace(payable_e5=100_001),
        price._replace(form="RING"),
        price._replace(poster="X"),
    )
    async with exchange.engine.begin() as connection:
        for bad in wrong:
            with pytest.raises(BadValue):
                await two_way.post(connection, ONE, bad)


async def test_the_person_who_offers_does_not_pay(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        number = await ticket(connection)
        with pytest.raises(Refused) as refused:
            await offers.pay(connection, ONE, number, "TRANSFER", "T-1")
        assert refused.value.reason == "SAME_PERSON"
        paid = await offers.pay(connection, OTHER, number, "TRANSFER", "T-1")
        assert paid == (5_884_610, ())
        with pytest.raises(Refused, match="is PAID"):
            await offers.pay(connection, OTHER, number, "TRANSFER", "T-1")
    with pytest.raises(IntegrityError):
        async with exchange.engine.begin() as connection:
            await connection.execute(update(counter_ticket).values(paid_by=ONE))


async def test_an_offer_of_yesterday_is_made_again(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        accepted, offered = await ticket(connection), await ticket(connection)
        await offers.make(connection, ONE, offered)
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE posted_price SET at = at - 86400000"))
        await connection.execute(text("SET LOCAL session_replication_role = origin"))
        yesterday = (working_days.today() - timedelta(days=1)).isoformat()
        with pytest.raises(Refused, match=f"was of {yesterday}; it must be made again at today's price") as refused:
            await offers.pay(connection, OTHER, accepted, "TRANSFER", "T-1")
        assert refused.value.reason == "OFFER_EXPIRED"
        with pytest.raises(Refused, match="must be made again"):
            await offers.accept(connection, ONE, offered)
        price = two_way.PostedPrice(two_way.VENUE, "SCRAP_JEWEL", 50_000, 51_000, -500, 99_000)
        await two_way.post(connection, ONE, price)
        again = await offers.make(connection, ONE, accepted)
        assert again == 4_895_600
        await offers.accept(connection, ONE, accepted)
        assert (await offers.pay(connection, OTHER, accepted, "TRANSFER", "T-1")).fen == again


async def test_large_cash_needs_due_diligence_first_and_a_report_after(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        number = await ticket(connection, items=worth(aml.LARGE_FEN))
        row = await tickets.find(connection, number)
        assert row.offered_fen >= aml.LARGE_FEN
        with pytest.raises(Refused) as refused:
            await offers.pay(connection, OTHER, number, "CASH", "V-1")
        assert refused.value.reason == "DUE_DILIGENCE"
        await sellers.record_due_diligence(connection, OTHER, row.seller_id, "CDD-0", "known to me")
        with pytest.raises(Refused, match="by another person than clerk-2") as refused:
            await offers.pay(connection, OTHER, number, "CASH", "V-1")
        assert refused.value.reason == "DUE_DILIGENCE"
        await sellers.record_due_diligence(connection, ONE, row.seller_id, "CDD-1", "jeweller's widow, invoices seen")
        paid = await offers.pay(connection, OTHER, number, "CASH", "V-1")
        (report,) = await aml.listing(connection)
        assert paid.reports == (report.report_no,)
        assert (report.kind, report.status, report.amount_fen) == ("LARGE_VALUE", "DUE", row.offered_fen)
        assert report.due_on == await working_days.after(connection, working_days.today(), 5)
        with pytest.raises(BadValue):
            await aml.decide(connection, OTHER, report.report_no, "file", "")
        await aml.decide(connection, OTHER, report.report_no, "file", "CAMLMAC-7")
        with pytest.raises(Refused, match="is FILED"):
            await aml.decide(connection, OTHER, report.report_no, "file", "CAMLMAC-8")


async def test_one_fen_less_is_not_large(exchange: SmallExchange) -> None:
    """The rule says 100,000 or more: exactly that much is large, one fen less is not."""
    async with exchange.engine.begin() as connection:
        who = await sellers.recognize(connection, ONE, FIRST)
        await aml.before_cash(connection, OTHER, who.seller_id, aml.LARGE_FEN - 1, working_days.today())
        with pytest.raises(Refused):
            await aml.before_cash(connection, OTHER, who.seller_id, aml.LARGE_FEN, working_days.today())


async def test_a_days_cash_adds_up_across_members(exchange: SmallExchange) -> None:
    half = worth(aml.LARGE_FEN // 2)
    async with exchange.engine.begin() as connection:
        one, two = await ticket(connection, items=half), await ticket(connection, code="CB", items=half)
        other = await ticket(connection, seller=SECOND, code="CB", items=half)
        await offers.pay(connection, OTHER, one, "CASH", "V-1")
        await offers.pay(connection, OTHER, other, "CASH", "V-2")
        with pytest.raises(Refused, match="at all counters") as refused:
            await offers.pay(connection, OTHER, two, "CASH", "V-3")
        assert refused.value.reason == "DUE_DILIGENCE"
        paid = await offers.pay(connection, OTHER, two, "TRANSFER", "T-3")
        assert paid.reports == ()
        three = await ticket(connection, items=half)
        who = (await tickets.find(connection, three)).seller_id
        await sellers.record_due_diligence(connection, ONE, who, "CDD-1", "known")
        (number,) = (await offers.pay(connection, OTHER, three, "CASH", "V-4")).reports
        four = await ticket(connection, items=[(100, 99_900)])
        assert (await offers.pay(connection, OTHER, four, "CASH", "V-5")).reports == (number,)
        (report,) = await aml.listing(connection)
        assert report.tickets == [one, three, four]
        assert report.amount_fen == sum([(await tickets.find(connection, n)).offered_fen for n in (one, three, four)])


async def test_two_counters_cannot_pay_one_seller_at_once(exchange: SmallExchange) -> None:
    half = worth(aml.LARGE_FEN // 2)
    async with exchange.engine.begin() as connection:
        numbers = [await ticket(connection, items=half), await ticket(connection, code="CB", items=half)]

    async def pay(number: int) -> str:
        try:
            async with exchange.engine.begin() as connection:
                await offers.pay(connection, OTHER, number, "CASH", f"V-{number}")
        except Refused as refused:
            return refused.reason
        return "PAID"

    assert sorted(await asyncio.gather(*map(pay, numbers))) == ["DUE_DILIGENCE", "PAID"]


async def test_a_sale_just_below_and_a_sale_in_parts_are_noticed(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        near = await ticket(connection, seller=SECOND, items=worth(aml.LARGE_FEN * 95 // 100))
        (number,) = (await offers.pay(connection, OTHER, near, "CASH", "V-1")).reports
        with pytest.raises(Refused) as refused:
            await aml.decide(connection, OTHER, number, "dismiss", "a ring")
        assert refused.value.reason == "SAME_PERSON"
        await aml.decide(connection, ONE, number, "dismiss", "one wedding ring, invoice seen")

        part = worth(aml.LARGE_FEN * 60 // 100)
        first = await ticket(connection, items=part)
        assert (await offers.pay(connection, OTHER, first, "CASH", "V-2")).reports == ()
        yesterday = working_days.today() - timedelta(days=1)
        older = update(counter_ticket).where(counter_ticket.c.ticket_no == first)
        await connection.execute(older.values(paid_day=yesterday))
        second = await ticket(connection, code="CB", items=part)
        (number,) = (await offers.pay(connection, OTHER, second, "CASH", "V-3")).reports
        found = {row.report_no: row for row in await aml.listing(connection)}
        assert (found[number].reason, found[number].status) == ("SPLITTING", "REVIEW")
        assert found[number].tickets == [first, second]
        await aml.decide(connection, OTHER, number, "confirm", "same bracelet, cut")
        assert [row.report_no for row in await aml.listing(connection, status="DUE")] == [number]
        assert await aml.listing(connection, overdue=True) == []
        await connection.execute(text("UPDATE aml_report SET due_on = due_on - 1"))
        assert [row.report_no for row in await aml.listing(connection, overdue=True)] == [number]


async def test_a_suspicion_ends_the_ticket_and_is_reported(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        hit = await tickets.open_ticket(connection, ONE, "CA", FIRST, "COPY-1", "HIT", "UN 2026-11")
        away = await tickets.turn_away(connection, ONE, "CA", "would not show a document")
        open_one = await tickets.open_ticket(connection, ONE, "CA", SECOND, "COPY-2", "CLEAR", "UN 2026-11")
        with pytest.raises(BadValue):
            await tickets.refuse(connection, ONE, open_one, "LARGE_CASH", "")
    async with exchange.engine.begin() as connection:
        inconsistent = await tickets.open_ticket(connection, ONE, "CA", SECOND, "COPY-2", "CLEAR", "UN 2026-11")
        await tickets.refuse(connection, ONE, inconsistent, "CONFLICTING_STORY", "inherited, then found")
        rows = await aml.listing(connection)
        assert [(row.reason, row.seller_id is None, row.status) for row in rows] == [
            ("LIST_HIT", False, "DUE"),
            ("ID_REFUSED", True, "DUE"),
            ("CONFLICTING_STORY", False, "DUE"),
        ]
        assert all(row.due_on == working_days.today() for row in rows)
        for number in (hit, away, inconsistent):
            assert (await tickets.find(connection, number)).status == "REFUSED"
            with pytest.raises(Refused, match="is REFUSED"):
                await tickets.add_item(connection, ONE, number, tickets.TicketItem("x", "", "SCRAP_JEWEL", 1, "x"))
        exported = sheets.read(await aml.export(connection, "xlsx"))
        assert [row.cells[2].text for row in exported.rows] == [
            "reason",
            "LIST_HIT",
            "ID_REFUSED",
            "CONFLICTING_STORY",
        ]


async def test_items_become_lots_with_the_ticket_as_their_proof(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        number = await ticket(connection, items=[(1_234, 95_000), (10_000, 99_900)])
        with pytest.raises(Refused, match="must be PAID"):
            await offers.deliver(connection, ONE, [number], {"SCRAP_JEWEL": "SCRAP"})
        await offers.pay(connection, OTHER, number, "TRANSFER", "T-1")
        found = (await offers.deliver(connection, ONE, [number], {"SCRAP_JEWEL": "SCRAP"}))[number]
        first, second = (await lots.find(connection, found)).values()
        assert (first.refiner, first.serial, first.account, first.warehouse) == ("CA", f"T{number}-1", "A.H", "XM1")
        origin = (await provenance.of_lots(connection, [first.lot_id]))[first.lot_id]
        assert (origin.origin, origin.documents) == ("RECYCLED_CONSUMER", [f"TICKET-{number}"])
        assert origin.missing == []
        assert (second.declared_gross_cg, second.declared_fineness_e5) == (10_000, 99_900)
        assert [item.lot_id for item in await tickets.items_of(connection, number)] == found
        assert (await tickets.find(connection, number)).status == "DELIVERED"
        await audit.verify(connection)
        low = await ticket(connection, items=[(1_000, 75_000)])
        await offers.pay(connection, OTHER, low, "TRANSFER", "T-2")
        with pytest.raises(BadFile, match="SCRAP_JEWEL is not allowed"):
            await offers.deliver(connection, ONE, [low], {"SCRAP_JEWEL": "AU"})


async def test_the_counter_by_the_clerks_command(exchange: SmallExchange, configured_database: None) -> None:  # noqa: ARG001
    assert "VENUE\tSCRAP_JEWEL\t600.00\t610.00\t-5.00\t99.000\n" in await clerk(ONE, "counter", "prices")
    person = ("--id-type", "RESIDENT_ID", "--id-number", FIRST.number, "--name", FIRST.name)
    papers = ("--id-copy", "COPY-1", "--screening", "CLEAR", "--screening-list", "UN 2026-11")
    assert "ticket 1: seller 1, OPENED" in await clerk(ONE, "counter", "open", "CA", *person, *papers)
    await clerk(ONE, "counter", "item", "1", "--description", "chain", "--gross", "170.00", "--origin", "mother's")
    await clerk(ONE, "counter", "screen", "1", "999")
    assert "ticket 1: 100037.95 CNY" in await clerk(ONE, "counter", "offer", "1")
    await clerk(ONE, "counter", "accept", "1")
    pay = ("counter", "pay", "1", "--method", "CASH", "--reference", "V-1")
    assert "needs due diligence first" in await clerk(OTHER, *pay, code=1)
    await clerk(ONE, "counter", "due-diligence", "1", "--document", "CDD-1", "--findings", "heir, will seen")
    assert "report 1 follows" in await clerk(OTHER, *pay)
    shown = await clerk("clerk-1", "counter", "show", "1")
    assert "seller\t1\nseller_name\t甲**\nid_type\tRESIDENT_ID\nid_number\t110*************2X\n" in shown
    assert "payable_g\tvalue_cny\n" in shown
    assert "\t168.131\t100037.95\n" in shown
    assert "LARGE_VALUE\tLARGE_CASH\t1\t100037.95\t1\t20" in await clerk(ONE, "counter", "reports")
    await clerk(ONE, "counter", "reports", "--overdue")
    await clerk(ONE, "counter", "reports", "--out", "reports.csv")
    assert FIRST.number.encode() not in Path("reports.csv").read_bytes()
    await clerk(ONE, "counter", "report", "1", "file", "--reference", "CAMLMAC-1")
    assert "lots 1" in await clerk(ONE, "counter", "deliver", "1", "--symbol", "SCRAP_JEWEL=SCRAP")
    assert "DELIVERED" in await clerk(ONE, "counter", "tickets", "--counter", "CA")


async def test_a_known_number_with_another_name_is_refused_until_a_colleague_corrects_it(
    exchange: SmallExchange,
) -> None:
    first = await do(exchange, sellers.recognize, ONE, FIRST)
    for spelled in ("甲某某", " 甲 某某 "):
        same = await do(exchange, sellers.recognize, OTHER, FIRST._replace(name=spelled))
        assert same.seller_id == first.seller_id
    for name in ("乙某某", "甲某", "甲大某"):
        said = await refused(exchange, "OTHER_NAME", sellers.recognize, ONE, FIRST._replace(name=name))
        assert "甲" not in said
    await refused(exchange, "SAME_PERSON", sellers.correct_name, ONE, first.seller_id, "甲大某", "REGISTER-7")
    with pytest.raises(BadValue, match="name"):
        await do(exchange, sellers.correct_name, OTHER, first.seller_id, " ", "REGISTER-7")
    await do(exchange, sellers.correct_name, OTHER, first.seller_id, "甲大某", "REGISTER-7")
    assert (await do(exchange, sellers.recognize, ONE, FIRST._replace(name="甲大某"))).seller_id == first.seller_id
    await refused(exchange, "OTHER_NAME", sellers.recognize, ONE, FIRST)


async def test_a_name_from_before_is_compared_by_what_is_known_of_it(exchange: SmallExchange) -> None:
    first = await do(exchange, sellers.recognize, ONE, FIRST)
    async with exchange.engine.begin() as connection:
        await connection.execute(update(seller).values(name_hash=None, named_by=None))
    await refused(exchange, "OTHER_NAME", sellers.recognize, ONE, FIRST._replace(name="乙某某"))
    assert (await do(exchange, sellers.recognize, ONE, FIRST)).seller_id == first.seller_id
    await refused(exchange, "OTHER_NAME", sellers.recognize, ONE, FIRST._replace(name="甲大大"))


@pytest.mark.parametrize(
    ("item", "e5", "why"),
    [
        (tickets.TicketItem("ingot", "", "DORE", 10_000, "own"), 99_900, "DORE is not allowed"),
        (tickets.TicketItem("ring", "", "SCRAP_JEWEL", 10_000, "own"), 50_000, "outside the band of SCRAP"),
    ],
)
async def test_an_item_that_no_class_takes_gets_no_offer_and_no_money(
    exchange: SmallExchange, item: tickets.TicketItem, e5: int, why: str
) -> None:
    await do(exchange, two_way.post, ONE, two_way.PostedPrice("VENUE", "DORE", 60_000, 61_000, 0, 99_000))
    number = await do(exchange, tickets.open_ticket, ONE, "CA", FIRST, "COPY-1", "CLEAR", "UN")
    await do(exchange, tickets.add_item, ONE, number, item)
    await do(exchange, tickets.screen, ONE, number, {1: e5})
    assert why in await refused(exchange, "NOT_ACCEPTED", offers.make, ONE, number)


async def test_an_item_that_no_class_takes_any_more_is_not_paid(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        number = await ticket(connection)
        await connection.execute(text("UPDATE instrument SET form = 'GRAIN' WHERE symbol = 'SCRAP'"))
    await refused(exchange, "NOT_ACCEPTED", offers.pay, OTHER, number, "TRANSFER", "T-1")
