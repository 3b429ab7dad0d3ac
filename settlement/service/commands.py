"""How a command runs its work on the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.hosting.running import resolve_database_url
from goldx.hosting.settings import Settings
from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.database import connect, migrate
from settlement.base.database_errors import Meaning, describe, meaning_of
from settlement.base.refusal import Refused
from settlement.ledger import chain
from settlement.workbooks.cells import BadFile

T = TypeVar("T")


def on_database(work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """Do one piece of work on the configured database, which is migrated first, and return its result.

    A refusal ends the command with the reason; nothing was changed.
    """

    async def run() -> T:
        url = resolve_database_url(Settings())
        await migrate(url)
        engine = connect(url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except (BadValue, Refused, BadFile, audit.BrokenChain, chain.BrokenLedger, OSError) as error:
        raise click.ClickException(str(error)) from error
    except SQLAlchemyError as error:
        if meaning_of(error) is Meaning.MISTAKE:
            raise
        raise click.ClickException(describe(error)) from error


def in_transaction(work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do one piece of work in one transaction; see ``on_database``."""

    async def run(engine: AsyncEngine) -> T:
        async with engine.begin() as connection:
            return await work(connection)

    return on_database(run)
