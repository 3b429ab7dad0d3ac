"""``python3 -m goldx test -m faults --seed S --rounds N``: nothing acknowledged is ever lost, whatever fails and when.

Round ``i`` has the seed ``S + i``: a round that failed is run alone by its own seed and ``--rounds 1``.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from tests.faults import campaign


@pytest.mark.faults
@pytest.mark.timeout(0)
async def test_campaign(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> None:
    seed = pytestconfig.getoption("seed")
    if seed is None:
        seed = int.from_bytes(os.urandom(3)) * 1_000
    rounds = pytestconfig.getoption("rounds")
    folder = Path(tempfile.mkdtemp(prefix="gx"))

    def tell(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    tell(f"\nfault campaign: --seed {seed} --rounds {rounds}")
    began = time.monotonic()
    try:
        totals = await campaign.run(folder, seed, rounds, tell)
    except BaseException:
        tell(f"what is left of the campaign lies in {folder}")
        raise
    tell(f"{dict(totals)} in {time.monotonic() - began:.0f} s")
    cluster = folder / "postgres" / "cluster"
    if cluster.is_symlink():
        shutil.rmtree(cluster.readlink().parent, ignore_errors=True)
    shutil.rmtree(folder)
