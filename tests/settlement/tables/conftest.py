"""Fixtures of the tests of the tables."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.hosting import postgres
from settlement.base import database


@pytest_asyncio.fixture
async def engine_of_the_wheel(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """A migrated database of the wheel's PostgreSQL, whatever is installed on the system."""
    with tempfile.TemporaryDirectory(prefix="gx") as folder:
        with monkeypatch.context() as patch:
            patch.setattr(postgres, "SYSTEM_VERSIONS", Path(folder, "none"))
            server = await postgres.start_postgres(Path(folder, "postgres"), durable=False)
        try:
            await database.migrate(server.url)
            engine = database.connect(server.url)
            yield engine
            await engine.dispose()
        finally:
            await server.stop()
