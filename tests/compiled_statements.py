"""One memory of compiled statements for all engines of a test session.

SQLAlchemy keeps compiled statements for each engine. A service has one engine; the tests have one for each database and
each command of a clerk, and compiled the same statements over and over, for a fifth of their processor time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from settlement.base import database


@contextmanager
def shared() -> Iterator[None]:
    """Let the engines that ``database.connect`` makes share what they compile."""
    compiled: dict[Any, Any] = {}
    dialects: list[Dialect] = []

    def create(url: str, **options: Any) -> AsyncEngine:
        made = create_async_engine(url, **options)
        # Statements are kept by dialect. One is complete when it has learned the version of its server, at its first
        # connection; all servers of a session have the same.
        complete = next((known for known in dialects if getattr(known, "server_version_info", None)), None)
        if complete is None:
            dialects.append(made.dialect)
        else:
            made.sync_engine.dialect = complete
            made.sync_engine.update_execution_options(compiled_cache=compiled)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "create_async_engine", create)
        yield
