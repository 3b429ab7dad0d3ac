"""The recycling counter over REST, through a real gateway."""

from settlement.base import working_days
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange


async def test_the_counter_over_rest(exchange: SmallExchange, rest: Rest, today: str) -> None:
    async with exchange.engine.begin() as connection:
        await working_days.set_day(connection, ONE, working_days.today(), True, "as any day")
    counter = {"counter": "C1", "member": "A", "account": "A.H", "warehouse": "XM1", "name": "Counter one"}
    await rest(ONE, "POST", "/counters", json=counter)
    price = {"form": "NONAPPROVED_BAR", "bid": "600.00", "ask": "610.00", "payable_percent": "99"}
    await rest(ONE, "POST", "/two-way-prices", json=price)
    assert (await rest("auditor", "GET", "/two-way-prices"))["prices"][0]["payable_e5"] == 99_000
    person = {"id_type": "PASSPORT", "id_number": "E12345678", "name": "Seller"}
    papers = {"id_copy": "COPY-1", "screening": "CLEAR", "screening_list": "UN"}
    ticket = await rest(ONE, "POST", "/tickets", json={"counter": "C1", **person, **papers})
    assert ticket["seller"]["masked_number"] == "E12****78"
    await rest("auditor", "POST", "/tickets/1/items", 403, json={})
    item = {"description": "bar", "form": "NONAPPROVED_BAR", "weight": "100.00", "stated_origin": "own"}
    await rest(ONE, "POST", "/tickets/1/items", json=item)
    await rest(ONE, "POST", "/tickets/1/screen", json={"xrf_permille": ["999"]})
    assert (await rest(ONE, "POST", "/tickets/1/offer"))["offered"] == "59340.60"
    await rest(ONE, "POST", "/tickets/1/accept")
    payment = {"method": "TRANSFER", "payment_reference": "T-1"}
    refused = await rest(ONE, "POST", "/tickets/1/pay", 409, json=payment)
    assert refused["reason"] == "SAME_PERSON"
    assert (await rest(OTHER, "POST", "/tickets/1/pay", json=payment)) == {"amount": "59340.60", "reports": []}
    lots = await rest(ONE, "POST", "/tickets/deliveries", json={"tickets": [1], "symbols": {"NONAPPROVED_BAR": "AU"}})
    assert list(lots["lots"]) == ["1"]
    assert (await rest("auditor", "GET", "/tickets/1"))["items"][0]["value"] == "59340.60"
    await rest(ONE, "POST", "/tickets/turned-away", json={"counter": "C1", "description": "no document"})
    assert len((await rest("auditor", "GET", "/tickets", params={"counter": "C1"}))["tickets"]) == 2
    (report,) = (await rest("auditor", "GET", "/aml-reports"))["reports"]
    assert (report["reason"], report["due_on"]) == ("ID_REFUSED", today)
    filed = {"step": "file", "reference": "CAMLMAC-1"}
    await rest(OTHER, "POST", f"/aml-reports/{report['report_no']}/decisions", json=filed)
    assert b"CAMLMAC-1" in await rest.content("auditor", "/aml-reports/export", format="csv")
    diligence = {"document": "CDD-1", "findings": "known"}
    assert (await rest(ONE, "POST", "/sellers/1/due-diligence", json=diligence))["due_diligence"] == 1
