"""Payment files against the official definition of pain.001.001.09, which the package ``sepaxml`` has with it."""

import secrets
from datetime import datetime
from functools import cache
from importlib.resources import files
from random import Random

from lxml import etree

from settlement.banking import payouts
from settlement.banking.payment_files import NAMESPACE, Debtor, Instruction, pain_001
from settlement.banking.payouts import SHANGHAI
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank
from tests.settlement.banking.test_payouts import ordered
from tests.settlement.small_exchange import ONE, SmallExchange, do

SIGNS = "AZaz09 &<>\"'/-?:().,+厦门某某珠宝ßé"
LONGEST_NAME, LONGEST_NUMBER = 140, 34
AT = datetime(2026, 11, 30, 9, 30, tzinfo=SHANGHAI)


@cache
def definition() -> etree.XMLSchema:
    """Return the XSD of ISO 20022."""
    schema = files("sepaxml") / "schemas" / "pain.001.001.09.xsd"
    with schema.open("rb") as opened:
        parsed = etree.parse(opened)
    assert parsed.getroot().get("targetNamespace") == NAMESPACE
    return etree.XMLSchema(parsed)


def problems(content: bytes) -> list[str]:
    """Return what the definition finds wrong with a payment file."""
    definition().validate(etree.fromstring(content))
    return [f"{error.line}: {error.message}" for error in definition().error_log]


async def test_a_payment_file_is_as_the_definition_says(exchange: SmallExchange, bank: MockBank) -> None:
    assert bank.balance_fen
    for fen in (1, 20_000, 30_099):
        await ordered(exchange, fen)
    sent = await do(exchange, payouts.send, ONE, ACCOUNT)
    assert problems(sent.content) == []
    for right, wrong in (
        (b"MsgId>", b"MsgNo>"),
        (b" Ccy=", b" Cur="),
        (b">TRF<", b">WIRE<"),
        (b"</NbOfTxs>", b".5</NbOfTxs>"),
        (b"<Cd>CNAPS</Cd>", b"<Cd>TOO-LONG</Cd>"),
    ):
        assert problems(sent.content.replace(right, wrong)) != [], wrong


def test_every_payment_that_can_be_ordered_is_within_the_definition() -> None:
    """Names, numbers and sums of all lengths, with signs that XML has to escape."""
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    dice = Random(seed)

    def words(longest: int) -> str:
        return "x" + "".join(dice.choice(SIGNS) for _ in range(dice.choice((0, 1, longest - 2, longest - 1)))).rstrip()

    for _ in range(50):
        payments = [
            Instruction(
                f"W-{dice.getrandbits(56):014X}",
                dice.choice((1, 99, 100, 10**9, 10**15)),
                words(LONGEST_NAME),
                words(LONGEST_NUMBER).replace(" ", "0"),
                dice.choice(("102393000015", words(LONGEST_NAME))),
            )
            for _ in range(dice.randint(1, 4))
        ]
        debtor = Debtor(words(128), words(LONGEST_NUMBER).replace(" ", "0"), words(128))
        content = pain_001(f"{payouts.MESSAGE}{payments[0].end_to_end}", AT, debtor, payments)
        assert problems(content) == [], content
