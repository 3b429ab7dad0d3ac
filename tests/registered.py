"""The holder of a registered key, read as a gateway reads it."""

from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.base.key_reader import KeyReader
from settlement.base.registry import Principal


async def find_principal(engine: AsyncEngine, key_id: str) -> Principal | None:
    """Return the holder of a key; None if the key may not be used."""
    reader = KeyReader(engine.url.render_as_string(hide_password=False))
    try:
        found = await reader.read()
    finally:
        reader.close()
    assert found is not None
    return found.principals.get(key_id)
