"""Key files: what is saved is loaded again, the file is private, and anything else is refused."""

import stat
from pathlib import Path

import pytest

from goldx.client.keys import Key
from goldx.protocol.units import BadValue


def test_a_saved_key_is_the_same_key_and_private(tmp_path: Path) -> None:
    key = Key.generate("FIRM-A.algo-1")
    path = tmp_path / "algo.pem"
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = Key.load(path)
    assert loaded.key_id == "FIRM-A.algo-1"
    assert loaded.sign(b"nonce") == key.sign(b"nonce"), "Ed25519 signatures are deterministic"
    key.private.public_key().verify(loaded.sign(b"nonce"), b"nonce")
    with pytest.raises(FileExistsError):
        key.save(path)


@pytest.mark.parametrize("text", ["", "nothing\n", "key-id: A\nnot a pem\n", "key-id: has space\n"])
def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.pem"
    path.write_text(text)
    with pytest.raises(BadValue):
        Key.load(path)
