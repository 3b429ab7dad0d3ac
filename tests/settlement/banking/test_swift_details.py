"""Details of entries in MT940 as banks write them: references, names and texts in the places that each has for them."""

from settlement.banking import swift
from settlement.banking.statements import Entry


def swift_entry(*lines: str) -> Entry:
    """Return the entry of a statement with one."""
    text = "\n".join((":20:X", ":25:1", ":28C:1/1", ":60F:C260101CNY100,", *lines, ":62F:C260102CNY97,"))
    ((entry,),) = (found.entries for found in swift.read(text.encode()))
    return entry


def test_references_and_names_stand_in_details_that_banks_divide_in_their_ways() -> None:
    """The customer's reference then says only where; a remark of the bank is no part of it; NONREF is no number."""
    slashed = swift_entry(
        ":61:260102D3,N102EREF            ",
        "NL70ABNA0987654321",
        ":86:/EREF/W-1 A/BENM//NAME/Member A/REMI/July/ISDT/x",
    )
    assert (slashed.items[0].reference, slashed.items[0].name) == ("W-1 A", "Member A")
    coded = swift_entry(
        ":61:2601020102DR3,NTRFKREF+//NONREF",
        ":86:159?00RETOURE?100399?20EREF+W-2?21MTLG:Grund nicht spezifiziert?32Member B",
    )
    assert (coded.items[0].reference, coded.items[0].name, coded.bank_reference) == ("W-2", "Member B", "")
    assert coded.items[0].text == "RETOURE Grund nicht spezifiziert"
    file = swift_entry(":61:2601020102DR3,NTRFKREF+//B-4", ":86:191?00SEPA-UEBERW?20KREF+F-W-3 X?21MTLG:Datei mit 5")
    assert (file.items[0].reference, file.items[0].text) == ("F-W-3 X", "SEPA-UEBERW Datei mit 5")
    plain = swift_entry(":61:2601020102DR3,NTRFNOTPROVIDED//B-3", ":86:/no/parts of ours")
    assert (plain.items[0].reference, plain.bank_reference, plain.items[0].text) == ("", "B-3", "/no/parts of ours")


def test_lines_of_other_tags_under_an_entry_are_kept_as_its_text() -> None:
    entry = swift_entry(":61:2601020102DF3,00S   X", ":NS:01526715", "15Member C", "16second line")
    assert entry.items[0].text == "01526715 15Member C 16second line"
