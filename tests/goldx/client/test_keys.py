"""Keys: what one signs the other verifies, files are private, tokens are short-lived."""

import stat
import time
from pathlib import Path

import jwt
import pytest

from goldx.client import keys
from goldx.protocol.units import BadValue


def test_a_saved_key_is_the_same_key_and_private(tmp_path: Path) -> None:
    key = keys.Key.generate("FIRM-A.algo-1")
    path = tmp_path / "algo.pem"
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = keys.Key.load(path)
    assert again.key_id == "FIRM-A.algo-1"
    assert keys.verify(key.public_bytes, again.sign(b"nonce"), b"nonce")
    assert not keys.verify(key.public_bytes, again.sign(b"nonce"), b"another")
    assert not keys.verify(keys.Key.generate("B").public_bytes, again.sign(b"nonce"), b"nonce")
    with pytest.raises(FileExistsError):
        key.save(path)


@pytest.mark.parametrize("text", ["", "nothing\n", "key-id: A\nnot a pem\n", "key-id: has space\n"])
def test_what_is_no_key_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.pem"
    path.write_text(text)
    with pytest.raises(BadValue):
        keys.Key.load(path)


def test_a_token_is_verified_against_the_key_it_names() -> None:
    key = keys.Key.generate("OPS-1")
    token = key.bearer_token()
    assert keys.key_id_of_token(token) == "OPS-1"
    keys.verify_bearer_token(key.public_bytes, token)
    with pytest.raises(jwt.InvalidTokenError):
        keys.verify_bearer_token(keys.Key.generate("OPS-1").public_bytes, token)


def test_a_token_that_outlives_a_minute_is_refused() -> None:
    key = keys.Key.generate("OPS-1")
    now = int(time.time())
    claims = {"aud": keys.AUDIENCE, "iat": now, "exp": now + 3_600}
    token = jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": "OPS-1"})
    with pytest.raises(jwt.InvalidTokenError, match="longer than 60"):
        keys.verify_bearer_token(key.public_bytes, token)
