"""Bearer tokens: what a client's key signs is verified, and nothing else is."""

import json
import time
from typing import Any

import jwt
import pytest

from api.edge.tokens import key_id_of_token, verify_bearer_token
from goldx.client.keys import AUDIENCE, TOKEN_SECONDS, Key


def test_a_token_is_verified_against_the_key_it_names() -> None:
    key = Key.generate("OPS-1")
    token = key.bearer_token()
    assert key_id_of_token(token) == "OPS-1"
    verify_bearer_token(key.public_bytes, token)
    with pytest.raises(jwt.InvalidSignatureError):
        verify_bearer_token(Key.generate("OPS-1").public_bytes, token)


def test_a_token_has_the_header_and_the_claims_of_the_standard() -> None:
    key = Key.generate("OPS-1")
    before = int(time.time())
    token = key.bearer_token()
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT", "kid": "OPS-1"}
    claims = jwt.decode(token, key.private.public_key(), algorithms=["EdDSA"], audience=AUDIENCE)
    assert claims["sub"] == "OPS-1"
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] == claims["iat"] + TOKEN_SECONDS


def test_a_token_that_outlives_a_minute_is_refused() -> None:
    key = Key.generate("OPS-1")
    now = int(time.time())
    claims = {"aud": AUDIENCE, "iat": now, "exp": now + 3_600}
    token = jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": "OPS-1"})
    with pytest.raises(jwt.InvalidTokenError, match="longer than 60"):
        verify_bearer_token(key.public_bytes, token)


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", ["soon", "1700000000", [1], {"a": 1}, None, True, float("inf"), 10**400])
def test_a_time_that_is_no_number_is_refused(name: str, value: Any) -> None:
    key = Key.generate("OPS-1")
    claims = {"aud": AUDIENCE, "iat": int(time.time()), "exp": int(time.time()) + 30, name: value}
    signed = jwt.api_jws.encode(json.dumps(claims).encode(), key.private, algorithm="EdDSA", headers={"kid": "OPS-1"})
    with pytest.raises(jwt.InvalidTokenError):
        verify_bearer_token(key.public_bytes, signed)
