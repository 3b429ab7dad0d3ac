"""Journals of an older version give the same events and the same snapshot, byte for byte, as they gave then.

``old_journals.jsonl`` has generated commands as journals had them before there were negotiated deals: in each line the
number of the journal, the time and the fields of the command, without those that were added later.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from matching.core.engine import Engine
from tests.matching.core.driving import apply_plain

LINES = (Path(__file__).parent / "old_journals.jsonl").read_bytes().splitlines()
OF_THAT_TIME = (
    "98c57acbe718a6d413c8afbf0a1f7e91fc176a8ba381100e923ab6cb15a47084",
    "68687bbe3c04d260d7cae9bdbe4f771df1871f74750c891455b14004de1d6f85",
    "eaab1fe7a0ec6c2c3d1128f9f95d25f1d89d07bce59518311544cec5c76440d3",
    "dfc2d163bb6ff61021ac9488fd905d6e0b90e45ece87bb657a35b891bd773bbe",
)
"""The SHA-256 of the events of each journal and of the snapshot after it, as the version of that time wrote them."""


@pytest.mark.parametrize("journal", range(len(OF_THAT_TIME)))
def test_an_old_journal_gives_the_bytes_of_its_time(journal: int) -> None:
    engine, found = Engine(), hashlib.sha256()
    for line in LINES:
        number, at, command = msgspec.json.decode(line, type=tuple[int, int, list[Any]])
        if number == journal:
            found.update(msgspec.msgpack.encode(apply_plain(engine, at, tuple(command))))
    found.update(engine.snapshot())
    assert engine.sequence > 100
    assert found.hexdigest() == OF_THAT_TIME[journal]
