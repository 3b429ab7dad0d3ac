"""Papers over REST are written outside the event loop, one at a time, and cost more than other requests."""

import asyncio
import threading
from collections import OrderedDict

import pytest
from fastapi import HTTPException

from api.settlement_routes.papers import PAPERS, Papers
from goldx.hosting.settings import Settings
from settlement.closing import bulletin_paper
from tests.settlement.closing.test_bulletin import both, two_days
from tests.settlement.rest import serving
from tests.settlement.small_exchange import SmallExchange


async def test_the_loop_goes_on_while_a_paper_is_written_and_few_wait() -> None:
    papers = Papers(most_waiting=2)
    go_on = threading.Event()

    def write() -> bytes:
        assert go_on.wait(60), "only the event loop lets it end"
        return b"paper"

    waiting = [asyncio.create_task(papers.written(write)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(HTTPException, match="too many papers") as refused:
        await papers.written(write)
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "1"})
    go_on.set()
    assert await asyncio.gather(*waiting) == [b"paper", b"paper"]
    assert await papers.written(lambda: b"again") == b"again"


async def test_what_has_a_key_is_written_once_while_there_is_room() -> None:
    papers = Papers(kept_bytes=5)
    written: list[str] = []

    async def read(name: str, size: int) -> None:
        assert await papers.written(lambda: written.append(name) or b"x" * size, name) == b"x" * size  # type: ignore[func-returns-value]

    for name, size in (("a", 2), ("b", 2), ("a", 2), ("c", 2), ("a", 2), ("b", 2), ("large", 6), ("large", 6)):
        await read(name, size)
    assert written == ["a", "b", "c", "b", "large", "large"]


@pytest.mark.prepared(by=two_days)
async def test_anybody_reads_few_papers_at_once(
    exchange: SmallExchange, migrated_url: str, valkey_url: str, shard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request gets what was written for the first one; the third one is refused."""
    written: list[str] = []
    write = bulletin_paper.write

    def counted(*args: object) -> bytes:
        written.append(threading.current_thread().name)
        return write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(bulletin_paper, "write", counted)
    # Another test may have read the same bulletin, as it has the same days.
    monkeypatch.setattr(PAPERS, "_kept", OrderedDict())
    _, found = await both(exchange)
    settings = Settings(gateway_port=0, shard=shard, staff_process=False, anonymous_rate=1, anonymous_burst=215)
    async with serving(exchange, settings, valkey_url, migrated_url) as (rest, _):
        for _ in range(2):
            await rest.anybody("GET", f"/v1/bulletins/{found.day}/file?format=json")
        await rest.anybody("GET", f"/v1/bulletins/{found.day}/file?format=json", 429)
    assert len(written) == 1
    assert written[0].startswith("paper")
