"""``python3 -m goldx test -m faults --seed S --rounds N``: nothing acknowledged is ever lost, whatever fails and when.

Round ``i`` has the seed ``S + i - 1``: a round that failed is run alone by its own seed and ``--rounds 1``.
"""

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults import redundant
from tests.faults.campaign import Campaign
from tests.faults.redundant import RedundantHouse
from tests.faults.stack import ExchangeStack

FAILOVERS = 4

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line at once."""

    def tell(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return tell


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    given: int | None = pytestconfig.getoption("seed")
    return int.from_bytes(os.urandom(3)) * 1_000 if given is None else given


@asynccontextmanager
async def folder_of(what: str, tell: Callable[[str], None]) -> AsyncIterator[Path]:
    """A folder with a short path, which stays if the campaign fails."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    began = time.monotonic()
    tell(f"\n{what}")
    try:
        yield folder
    except BaseException:
        tell(f"what is left of the campaign lies in {folder}")
        raise
    tell(f"{time.monotonic() - began:.0f} s")
    cluster = folder / "postgres" / "cluster"
    if cluster.is_symlink():
        shutil.rmtree(cluster.readlink().parent, ignore_errors=True)
    shutil.rmtree(folder)


async def test_campaign(pytestconfig: pytest.Config, seed: int, tell: Callable[[str], None]) -> None:
    """Processes killed, stopped, paused, connections cut and held."""
    rounds = pytestconfig.getoption("rounds")
    async with (
        folder_of(f"fault campaign: --seed {seed} --rounds {rounds}", tell) as folder,
        ExchangeStack(folder) as house,
    ):
        campaign = Campaign(house, tell)
        await campaign.run(seed, rounds)
        tell(f"{dict(campaign.totals)}")


async def test_the_primary_fails_and_a_replica_takes_over(seed: int, tell: Callable[[str], None]) -> None:
    """Three servers and three Sentinels: the primary is killed or paused under load, and the exchange goes on."""
    what = f"failovers: --seed {seed}"
    async with folder_of(what, tell) as folder, RedundantHouse(folder) as house:
        campaign = Campaign(house, tell, redundant.plan)
        await campaign.run(seed, FAILOVERS)
        tell(f"{dict(campaign.totals)}, {house.servers.failovers} failovers")
        assert house.servers.failovers == FAILOVERS
