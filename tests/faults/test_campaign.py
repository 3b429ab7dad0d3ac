"""``python3 -m goldx test -m faults --seed S --rounds N``: nothing acknowledged is ever lost, whatever fails and when.

Round ``i`` has the seed ``S + i - 1``: a round that failed is run alone by its own seed and ``--rounds 1``.
"""

import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults import redundant
from tests.faults.campaign import Campaign
from tests.faults.redundant import RedundantStack
from tests.faults.stack import ExchangeStack

FAILOVERS = 4

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]


@asynccontextmanager
async def kept_folder(title: str, report: Callable[[str], None]) -> AsyncIterator[Path]:
    """Make a folder with a short path; it is kept if the campaign fails."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    began = time.monotonic()
    report(f"\n{title}")
    try:
        yield folder
    except BaseException:
        report(f"logs and data of the campaign are in {folder}")
        raise
    report(f"{time.monotonic() - began:.0f} s")
    cluster = folder / "postgres" / "cluster"
    if cluster.is_symlink():
        shutil.rmtree(cluster.readlink().parent, ignore_errors=True)
    shutil.rmtree(folder)


async def test_campaign(pytestconfig: pytest.Config, seed: int, report: Callable[[str], None]) -> None:
    """Processes are killed, stopped and paused, connections cut and held."""
    rounds = pytestconfig.getoption("rounds")
    async with (
        kept_folder(f"fault campaign: --seed {seed} --rounds {rounds}", report) as folder,
        ExchangeStack(folder) as stack,
    ):
        campaign = Campaign(stack, report)
        await campaign.run(seed, rounds)
        report(f"{dict(campaign.totals)}")


async def test_the_primary_fails_and_a_replica_takes_over(seed: int, report: Callable[[str], None]) -> None:
    """Three servers and three Sentinels: the primary is killed or paused under load, and the exchange goes on."""
    title = f"failovers: --seed {seed}"
    async with kept_folder(title, report) as folder, RedundantStack(folder) as stack:
        campaign = Campaign(stack, report, redundant.plan)
        await campaign.run(seed, FAILOVERS)
        report(f"{dict(campaign.totals)}, {stack.servers.failovers} failovers")
        assert stack.servers.failovers == FAILOVERS
