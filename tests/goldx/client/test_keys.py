"""Key files: what is saved is loaded again, the file is private, and anything else is refused."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from goldx.client.keys import Key, fingerprint, parse_public_key, parse_signature, verify_signature
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


def test_a_signature_is_verified_against_the_key_that_made_it() -> None:
    key = Key.generate("FIRM-A.algo-1")
    signature = key.sign(b"nonce")
    assert verify_signature(key.public_bytes, signature, b"nonce")
    assert not verify_signature(key.public_bytes, signature, b"another")
    assert not verify_signature(Key.generate("B").public_bytes, signature, b"nonce")
    assert not verify_signature(b"no key", signature, b"nonce")


def test_a_public_key_is_read_from_its_pem() -> None:
    key = Key.generate("A")
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert parse_public_key(pem) == key.public_bytes
    assert len(bytes.fromhex(fingerprint(key.public_bytes))) == 32
    private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    other = X25519PrivateKey.generate().public_key()
    of_other = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for wrong in (private, of_other, "", pem[:-40], "\ud800"):
        with pytest.raises(BadValue, match="public_key: "):
            parse_public_key(wrong)


def test_a_signature_is_read_as_bytes_and_as_hexadecimal_digits() -> None:
    signature = Key.generate("A").sign(b"file")
    assert parse_signature(signature) == parse_signature(signature.hex().upper().encode() + b"\n") == signature
    for wrong in (b"", signature[:-1], signature.hex()[:-2].encode(), b"\xff" * 128, b"x" * 128):
        with pytest.raises(BadValue, match="signature: "):
            parse_signature(wrong)
