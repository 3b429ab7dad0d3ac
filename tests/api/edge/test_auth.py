"""Refusals of registered, suspended and unknown keys cost the same work and read the same."""

from collections import Counter
from typing import Any

import pytest

from api.app import GatewayServer
from api.edge import auth
from api.edge.auth import Authenticator, NotAuthentic, new_nonce
from api.edge.key_register import KeyRegister
from api.edge.tokens import verify_bearer_token
from goldx.client.keys import Key, verify_signature
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from goldx.streams.standings import publish_notice
from settlement.base import database, registry, standings
from tests.api.conftest import ShardServices, until

KNOWN, SUSPENDED, UNKNOWN = "FIRM-A.key", "FIRM-A.suspended", "nobody.key"


async def suspend_a_key(services: ShardServices, register: KeyRegister) -> None:
    """Register a key, and suspend it so that the gateway knows."""
    engine = database.connect(services.database_url)
    key = Key.generate(SUSPENDED)
    async with engine.begin() as connection:
        await registry.add_key(connection, "test", key.key_id, key.public_bytes, member_code="FIRM-A")
    await engine.dispose()
    await register.look_up(SUSPENDED)
    assert register.find(SUSPENDED) is not None
    redis = redis_client.connect(services.valkey_url)
    await publish_notice(redis, Keys(services.shard), standings.new_notice("suspend", "key", SUSPENDED, "op", "a test"))
    await redis.aclose()
    await until(lambda: register.find(SUSPENDED) is None)


async def test_a_wrong_signature_of_any_key_costs_the_same_work(
    services: ShardServices, gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = gateway.gateway.register
    await suspend_a_key(services, register)
    authenticator = Authenticator(register)
    work: Counter[str] = Counter()

    def counted(name: str, call: Any) -> Any:
        def count(*values: Any) -> Any:
            work[name] += 1
            if name in ("signatures", "tokens"):
                assert len(values[0]) == 32, "a public key"
            return call(*values)

        return count

    monkeypatch.setattr(auth, "verify_signature", counted("signatures", verify_signature))
    monkeypatch.setattr(auth, "verify_bearer_token", counted("tokens", verify_bearer_token))
    monkeypatch.setattr(register, "look_up", counted("look-ups", register.look_up))
    monkeypatch.setattr(register._reader, "read", counted("reads", register._reader.read))
    costs, texts = set(), set()
    for key_id in (KNOWN, SUSPENDED, UNKNOWN):
        forged = Key.generate(key_id)
        nonce = new_nonce()
        for attempt in (
            authenticator.log_on(key_id, nonce, forged.sign(nonce.encode()).hex()),
            authenticator.bearer(f"Bearer {forged.bearer_token()}"),
        ):
            work.clear()
            with pytest.raises(NotAuthentic) as refused:
                await attempt
            assert work["signatures"] + work["tokens"] == 2, "one before the register is read again, and one after it"
            # Beside these reads the gateway keeps reading by itself.
            costs.add(tuple(sorted((name, count) for name, count in work.items() if name != "reads")))
            assert work["reads"] >= 2
            texts.add(str(refused.value))
    assert len(costs) == 2, "log-ons and tokens"
    assert len(texts) == 2
