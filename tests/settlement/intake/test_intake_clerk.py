"""A lot of scrap and an exchange of assays through ``goldx clerk`` alone, as docs/settlement.md writes them up."""

from pathlib import Path

import pytest

from tests.settlement.commands import clerk

pytestmark = pytest.mark.usefixtures("exchange", "configured_database")


async def test_scrap_from_advice_to_a_certificate_on_paper() -> None:
    async def one(*words: str, code: int = 0) -> str:
        return await clerk("clerk-1", *words, code=code)

    what = ("--symbol", "SCRAP", "--form", "SCRAP_JEWEL", "--account", "A.H", "--warehouse", "XM1", "--refiner", "BAG")
    origin = ("--origin", "RECYCLED_CONSUMER", "--country", "CN", "--document", "TICKET-1")
    for lot, grams in (("1", "153.47"), ("2", "102.53")):
        declared = ("--serial", lot, "--gross", grams, "--fineness", "750.00")
        assert f"lot {lot} is advised" in await one("pre-advise", *what, *declared, *origin, "--seller-check", "KYC-1")
        assert "must be ARRIVED" in await one("weigh", lot, "--scale", "SCALE-1", "--gross", grams, code=1)
        await one("arrive", lot, "--seal", f"S-{lot}")
        assert "coarser" in await one("weigh", lot, "--scale", "SCALE-1", "--gross", grams[:-1], code=1)
        await one("weigh", lot, "--scale", "SCALE-1", "--gross", grams)
        await one("screen", lot, "--point", "751", "--point", "752", "--point", "750")
    new = ("--scale", "SCALE-1", "--refiner", "XM1", "--serial", "MELT-1")
    assert "alarm: loss of" in await one("melt", "1", "2", *new, "--gross", "250.00")
    assert "1\t3\tSCRAP_JEWEL\t256\t250\t6" in await one("melts", "--alarmed")
    samples = [word for party in ("A", "B", "UMPIRE") for word in ("--sample", party, f"P-{party}", "6.00")]
    await one("sample", "3", *samples)
    await one("assay", "open", "3", "--laboratory-a", "LAB-A", "--laboratory-b", "LAB-B")
    results = {"A": "752.000", "B": "751.000"}
    nonces = {}
    for party, permille in results.items():
        twice = ("--replicate", permille, "--replicate", permille)
        nonce, hashed = (line.split()[1] for line in (await one("assay", "commitment", "3", *twice)).splitlines())
        nonces[party] = nonce
        await one("assay", "commit", "1", "--party", party, "--commitment", hashed)
    for party, permille in results.items():
        twice = ("--replicate", permille, "--replicate", permille)
        answer = await one(
            "assay", "reveal", "1", "--party", party, *twice, "--nonce", nonces[party], "--seal", f"P-{party}"
        )
    assert "assay exchange 1 is SPLIT" in answer
    umpire = ("--laboratory", "LAB-U", "--replicate", "751.200", "--replicate", "751.200", "--seal", "P-UMPIRE")
    assert "751.10 per mille by NEAREST_MEAN; A pays" in await one("assay", "umpire", "1", *umpire)
    await one("certify", "3")
    assert "melt 1 is not explained" in await one("register", "3", code=1)
    await clerk("clerk-2", "melt-explain", "1", "--explanation", "stones and steel springs")
    await one("register", "3")
    assert "parents:\nlot\tweight_g\n1\t153.47\n" in await one("lot", "3")

    printed = await one("certificate", "1", "--out", "1.pdf")
    assert Path("1.pdf").read_bytes().startswith(b"%PDF-")
    digest = printed.split()[-1]
    assert "its lot is REGISTERED" in await one("certificate", "verify", "1", digest)
    assert "another SHA-256" in await one("certificate", "verify", "1", "0" * 64, code=1)
    assert "1 certificates computed again: 0 differences" in await one("certificate", "recompute")
    value = await one("value", "3", "--price", "800.00", "--payable", "99", "--refining", "1.50", "--assay-fee", "300")
    assert "payable\t185.897\tg\tPAYABLE_RATIO_DOWN_MG_1" in value
    assert "net\t148033.60\tCNY" in value


@pytest.mark.parametrize("words", [("acceptance", "list"), ("scale", "list"), ("laboratory", "list")])
async def test_lists(words: tuple[str, ...]) -> None:
    assert (await clerk("clerk-1", *words)).count("\t") >= 4
