"""Bearer tokens of members and staff, verified against public keys (made by ``goldx.client.keys``)."""

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from goldx.client.keys import AUDIENCE, TOKEN_SECONDS
from goldx.protocol.units import parse_identifier


def verify_bearer_token(public_bytes: bytes, token: str) -> None:
    """Check signature, audience and times of a token, and that it lives no longer than TOKEN_SECONDS.

    Raises jwt.InvalidTokenError.
    """
    key = Ed25519PublicKey.from_public_bytes(public_bytes)
    try:
        claims = jwt.decode(
            token, key, algorithms=["EdDSA"], audience=AUDIENCE, leeway=5, options={"require": ["exp", "iat", "aud"]}
        )
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        # A claim may be any JSON value, such as a list for a time, or an endless number.
        raise jwt.InvalidTokenError("a claim has the wrong form") from error
    for name in ("exp", "iat"):
        if type(claims[name]) not in (int, float):
            raise jwt.InvalidTokenError(f"{name} is not a number")
    if not claims["exp"] - claims["iat"] <= TOKEN_SECONDS:
        raise jwt.InvalidTokenError(f"the token lives longer than {TOKEN_SECONDS} seconds")


def key_id_of_token(token: str) -> str:
    """Return the id of the key that a token claims to be signed by, before anything is verified.

    Raises jwt.InvalidTokenError, or BadValue for an id that is not an identifier.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise jwt.InvalidTokenError("its header has the wrong form") from error
    return parse_identifier(header.get("kid"), "kid")
