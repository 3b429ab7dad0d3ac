"""Equal payments of one day without references: none is dropped in silence, none is booked twice, a person decides."""

from pathlib import Path

import pytest

from settlement.banking import accounts, bank_reconciliation, deposits, imports, statements, swift
from tests.settlement.banking.mock_bank import ACCOUNT
from tests.settlement.banking.test_deposits import carried_out
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange, do, refused

AMBIGUOUS = "STATEMENT_AMBIGUOUS"


def statement(number: str, opening: int, *entries: int, reference: str = "NONREF", bank: str = "NONREF") -> bytes:
    """A statement of 2 January in MT940; ``number`` is its own."""
    lines = [":20:X", f":25:{ACCOUNT}", f":28C:{number}", f":60F:C260101CNY{opening},"]
    for fen in entries:
        lines += [f":61:2601020102{'C' if fen > 0 else 'D'}{abs(fen)},NTRF{reference}//{bank}", ":86:A.H"]
    return "\n".join([*lines, f":62F:C260102CNY{opening + sum(entries)},", "-"]).encode()


async def taken(exchange: SmallExchange, data: bytes, entries: str | None = None) -> int:
    """How many entries of the file are new."""
    outcome = await do(exchange, imports.take_in, ONE, "day.sta", data, swift.read(data), entries)
    return sum(one.new for one in outcome.statements)


async def prepared(exchange: SmallExchange) -> None:
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")


async def test_two_equal_payments_of_one_statement_are_two(exchange: SmallExchange) -> None:
    await prepared(exchange)
    data = statement("1", 0, 500, 500)
    assert await taken(exchange, data) == 2
    for again in (data, data + b"\n", statement("7", 0, 500, 500)):
        assert await taken(exchange, again) == 0, "only these two make the balance"
    found = await do(exchange, deposits.match, ONE)
    assert [(one.how, one.account) for one in found] == [("REFERENCE", "A.H")] * 2
    await carried_out(exchange, *found)
    assert exchange.held("A.H") == 100_000
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()
    rows = await do(exchange, imports.items)
    assert [(row.reference, row.bank_reference) for row in rows] == [("", "")] * 2
    assert await taken(exchange, statement("2", 1_000, 500)) == 1, "one more of the day, by the balance"


async def test_entries_that_cancel_out_and_come_once_more_wait_for_a_person(exchange: SmallExchange) -> None:
    """By the balances they may be the known ones or two others."""
    await prepared(exchange)
    first, second = statement("1", 100, 12, -12), statement("2", 100, 12, -12)
    assert await taken(exchange, first) == 2
    assert await taken(exchange, first) == 0
    assert await taken(exchange, first + b"\n") == 0, "the statement has the number of the known one"
    why = await refused(exchange, AMBIGUOUS, imports.take_in, ONE, "day.sta", second, swift.read(second))
    assert why.endswith("say whether they are known or new")
    assert await taken(exchange, second, "known") == 0
    assert await taken(exchange, second, "new") == 2
    assert await taken(exchange, second) == 0, "now the file is known"
    assert [row.entries for row in await do(exchange, imports.listing)] == [2, 2]


async def test_the_same_file_is_known_though_its_statement_has_no_number(exchange: SmallExchange) -> None:
    await prepared(exchange)
    data = statement("1", 100, 12, -12)
    unnamed = [one._replace(stated_id="") for one in swift.read(data)]
    for new in (2, 0):
        outcome = await do(exchange, imports.take_in, ONE, "day.sta", data, unnamed)
        assert [one.new for one in outcome.statements] == [new]
    await refused(exchange, AMBIGUOUS, imports.take_in, ONE, "other.sta", data + b"\n", unnamed)


async def test_a_longer_list_with_equal_entries_waits_for_a_person(exchange: SmallExchange) -> None:
    await prepared(exchange)
    assert await taken(exchange, statement("1", 100, 12, -12)) == 2
    longer = statement("2", 100, 12, -12, 7)
    await refused(exchange, AMBIGUOUS, imports.take_in, ONE, "day.sta", longer, swift.read(longer))
    assert await taken(exchange, longer, "known") == 1
    assert await taken(exchange, longer) == 0
    longest = statement("3", 107, 12, -12)
    assert await taken(exchange, longest) == 2, "the balance says that they are new"


async def test_numbers_of_the_bank_say_which_entries_are_known(exchange: SmallExchange) -> None:
    await prepared(exchange)
    assert await taken(exchange, statement("1", 100, 12, -12, bank="B1")) == 2
    assert await taken(exchange, statement("2", 100, 12, -12, bank="B1")) == 0
    assert await taken(exchange, statement("2", 100, 12, -12, bank="B2")) == 2


@pytest.mark.parametrize(
    "text", ["NONREF", "nonref", "NO REF", "NOTPROVIDED", "NOT PROVIDED", "N/A", "none", "-", "0000", "EREF+", "无", ""]
)
def test_what_says_that_there_is_no_reference_is_none(text: str) -> None:
    assert statements.reference_of(text) == ""
    for real in ("R-1", "NONREF-17", "E-0", "NA-2", "A.H", "NORTH", "007"):
        assert statements.reference_of(real) == real


@pytest.mark.usefixtures("configured_database")
async def test_a_clerk_decides_by_command_and_over_rest(exchange: SmallExchange, rest: Rest, tmp_path: Path) -> None:
    await prepared(exchange)
    files = [tmp_path / f"{number}.sta" for number in (1, 2, 3)]
    for number, path in enumerate(files, 1):
        path.write_bytes(statement(str(number), 100, 12, -12))
    await clerk(ONE, "bank", "import", str(files[0]))
    said = await clerk(ONE, "bank", "import", str(files[1]), code=1)
    assert "say whether they are known or new" in said
    assert "0 new entries" in await clerk(ONE, "bank", "import", str(files[1]), "--entries", "known", "--preview")
    assert "2 new entries" in await clerk(ONE, "bank", "import", str(files[1]), "--entries", "new")
    data = files[2].read_bytes()
    assert (await rest(ONE, "POST", "/bank-statements/preview", 409, content=data))["reason"] == AMBIGUOUS
    await rest(ONE, "POST", "/bank-statements", 422, content=data, params={"entries": "perhaps"})
    answer = await rest(ONE, "POST", "/bank-statements", content=data, params={"entries": "new"})
    assert [one["new"] for one in answer["statements"]] == [2]
