"""``goldx settlement`` and the administrator's commands on the exchange's own machine.

Access to the machine is the authority here, as it is for the database itself; every act is in the audit log all the
same, under the name of the user of the operating system.
"""

import asyncio
import sys

import click
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.hosting import collector, logging
from goldx.hosting.running import resolve_database_url, resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.output import JSON, print_record, wants_json
from goldx.protocol.units import BadValue
from goldx.streams.durability import WeakDurability
from goldx.streams.history import EventsMissing
from goldx.streams.replicas import NoReplicas
from goldx.streams.segments import BadArchive
from settlement.base import audit, changes, roles
from settlement.base.database import migrate
from settlement.base.refusal import Refused
from settlement.custody.titles import WrongLots
from settlement.ledger import chain, own_stock
from settlement.ledger.busts import WrongBust
from settlement.ledger.posting import SequenceGap
from settlement.service.commands import in_transaction
from settlement.service.process import serve
from settlement.service.registry_commands import add_commands
from settlement.service.writer import WrongShard, WrongStream

ENDS = (
    WeakDurability,
    NoReplicas,
    EventsMissing,
    BadArchive,
    SequenceGap,
    WrongStream,
    WrongBust,
    WrongLots,
    WrongShard,
)
"""Errors whose message alone is logged when they end settlement: a traceback would add nothing."""


def _migrate(settings: Settings) -> None:
    url = resolve_database_url(settings)
    owner = settings.database_owner_url or url

    async def run() -> None:
        await migrate(owner)
        if owner != url:
            await roles.admit(owner, url)

    try:
        asyncio.run(run())
    except (BadValue, Refused, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo("the database is migrated")


@click.command()
@click.option(
    "--migrate",
    "only_migrate",
    is_flag=True,
    help="Create or migrate the tables as their owner (database_owner_url), let the user of database_url use them, and "
    "end.",
)
def settlement(only_migrate: bool) -> None:
    """Settle the exchange: ledger, receipts and withdrawals, until SIGTERM."""
    settings = Settings()
    if only_migrate:
        _migrate(settings)
        return
    logging.configure("settlement")
    log = structlog.get_logger()
    database_url, redis_url = resolve_database_url(settings), resolve_redis_url(settings)
    collector.tune_for_service()
    try:
        asyncio.run(serve(database_url, redis_url, settings))
    except Exception as error:
        log.critical(
            "settlement stops: what is wrong does not pass by waiting",
            kind=type(error).__name__,
            reason=str(error),
            exc_info=not isinstance(error, ENDS),
        )
        sys.exit(1)


@click.group()
def member() -> None:
    """Register member firms, suspend and end them."""


@click.group()
def staff() -> None:
    """Register the venue's staff, suspend and end them."""


@click.group()
def key() -> None:
    """Register Ed25519 keys, make them, suspend and revoke them."""


for _group in (member, staff, key):
    add_commands(_group, str(_group.name))


@click.group("audit")
def audit_group() -> None:
    """Prove the audit log."""


def _head(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, bytes] | None:
    if value is None:
        return None
    number, _, digest = value.partition(":")
    try:
        return int(number), bytes.fromhex(digest)
    except ValueError:
        raise click.BadParameter("must be NUMBER:HASH as an earlier verify printed it") from None


@audit_group.command("verify")
@JSON
@click.option("--anchor", callback=_head, metavar="NUMBER:HASH", help="An earlier end of the log, kept elsewhere.")
@click.option("--ledger-anchor", callback=_head, metavar="NUMBER:HASH", help="An earlier end of the ledger's chain.")
@click.pass_context
def verify(context: click.Context, anchor: tuple[int, bytes] | None, ledger_anchor: tuple[int, bytes] | None) -> None:
    """Read the whole log and the whole ledger; exit 1 at the first entry that does not fit.

    Own stock is recomputed from the ledger, and all rows are compared with the record of their changes.
    """

    async def work(connection: AsyncConnection) -> tuple[audit.AuditHead, chain.LedgerHead, list[str]]:
        log = await audit.verify(connection, None if anchor is None else audit.AuditHead(*anchor))
        ledger = await chain.verify(connection, None if ledger_anchor is None else chain.LedgerHead(*ledger_anchor))
        rows = [f"{row.table} {row.key}: {row.note}" for row in await changes.all_differences(connection)]
        return log, ledger, await own_stock.differences(connection) + rows

    log, ledger, wrong = in_transaction(work)
    ends = (f"{log.number}:{log.hash.hex()}", f"{ledger.sequence}:{ledger.hash.hex()}")
    if wants_json():
        found = {"entries": log.number, "end": ends[0], "ledger_sequence": ledger.sequence, "ledger_end": ends[1]}
        print_record({**found, "differences": wrong})
        context.exit(1 if wrong else 0)
    click.echo(f"{log.number} entries, unbroken; the end is {ends[0]}")
    click.echo(f"the ledger is unbroken to event {ledger.sequence}; its end is {ends[1]}")
    for text in wrong:
        click.echo(text)
    context.exit(1 if wrong else 0)
