"""``goldx settlement`` and the commands of whoever administers the exchange on its own machine.

Access to the machine is the authority here, as it is for the database itself; every act is in the audit log all the
same, under the name of the user of the operating system.
"""

import asyncio
import getpass
import sys
from pathlib import Path

import click
import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.client.keys import Key
from goldx.hosting import collector, logging
from goldx.hosting.errors import NotRunning
from goldx.hosting.running import resolve_database_url, resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.protocol.units import BadValue, parse_identifier
from goldx.streams.durability import WeakDurability
from goldx.streams.history import EventsMissing
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.replicas import NoReplicas
from goldx.streams.revocations import publish_revocation
from goldx.streams.segments import BadArchive
from settlement.base import audit, registry, roles
from settlement.base.database import migrate
from settlement.base.key_reader import KeyReader, RegisterAway
from settlement.base.refusal import Refused
from settlement.ledger import chain, own_stock
from settlement.service.commands import in_transaction
from settlement.service.process import serve
from settlement.service.writer import SequenceGap, WrongShard, WrongStream

ENDS = (WeakDurability, NoReplicas, EventsMissing, BadArchive, SequenceGap, WrongStream, WrongShard)
"""Errors whose message alone is logged when they end settlement: a traceback would add nothing."""


def _administrator() -> str:
    return f"host:{getpass.getuser()}"


def _words(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(","))


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
    """Register member firms."""


@member.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--name-zh", default="")
def add_member(code: str, name: str, name_zh: str) -> None:
    """Register the member firm CODE."""
    in_transaction(lambda connection: registry.add_member(connection, _administrator(), code, name, name_zh))
    click.echo(f"member {code} is registered")


@click.group()
def staff() -> None:
    """Register the venue's staff."""


@staff.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--permissions", required=True, callback=_words, help="Some of operate,settle,supervise.")
def add_staff(code: str, name: str, permissions: tuple[str, ...]) -> None:
    """Register CODE, one of the staff."""
    in_transaction(lambda connection: registry.add_staff(connection, _administrator(), code, name, permissions))
    click.echo(f"staff {code} is registered")


@click.group()
def key() -> None:
    """Make and end Ed25519 keys."""


@key.command("create")
@click.option("--member", "member_code", help="The member whose key it is; or --staff.")
@click.option("--staff", "staff_code", help="The one of the staff whose key it is; or --member.")
@click.option("--permissions", default="trade", show_default=True, callback=_words)
@click.option("--key-id", help="Default: the holder's code and a number.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Private key file; must not exist.")
def create_key(
    member_code: str | None, staff_code: str | None, permissions: tuple[str, ...], key_id: str | None, out: Path
) -> None:
    """Make a key pair: the private key goes into a file, the public key into the register."""

    async def work(connection: AsyncConnection) -> Key:
        name = key_id or await registry.free_key_id(connection, str(member_code or staff_code))
        made = Key.generate(name)
        holder = {"member_code": member_code, "staff_code": staff_code}
        await registry.add_key(connection, _administrator(), name, made.public_bytes, **holder, permissions=permissions)
        made.save(out)
        return made

    click.echo(f"key {in_transaction(work).key_id} is registered; its private half is in {out}")


@key.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """End the key KEY_ID at once: its sessions, its orders, and the key in the register.

    The gateways are notified over Redis or Valkey, so this works while the database is away; they write the revocation
    into the register when that is back.
    """
    by = _administrator()
    known, published = asyncio.run(_publish_revocation(parse_identifier(key_id, "key_id"), by))
    if not known:
        if not published:
            raise click.ClickException("neither the register nor Redis is reachable: nothing was changed")
        click.echo(f"key {key_id} is revoked at the gateways; they write it into the register when that is back")
        return
    in_transaction(lambda connection: registry.revoke_key(connection, by, key_id))
    click.echo(f"key {key_id} is revoked" + ("" if published else "; Redis is away, the gateways read it in SQL"))


async def _publish_revocation(key_id: str, by: str) -> tuple[bool, bool]:
    """Notify the gateways that a key ends; return whether the register is reachable, and whether they were notified."""
    settings = Settings()
    reader = KeyReader(resolve_database_url(settings))
    try:
        if key_id not in (await reader.read() or {}):
            return True, True  # the register will refuse it, with the reason
        reachable = True
    except RegisterAway as error:
        click.echo(str(error), err=True)
        reachable = False
    finally:
        reader.close()
    try:
        redis = connect(resolve_redis_url(settings))
        await publish_revocation(redis, Keys(settings.shard), key_id, by)
        await redis.aclose()
    except (NotRunning, RedisError, OSError) as error:
        click.echo(f"the gateways were not notified at once: {error}", err=True)
        return reachable, False
    return reachable, True


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
@click.option("--anchor", callback=_head, metavar="NUMBER:HASH", help="An earlier end of the log, kept elsewhere.")
@click.option("--ledger-anchor", callback=_head, metavar="NUMBER:HASH", help="An earlier end of the ledger's chain.")
@click.pass_context
def verify(context: click.Context, anchor: tuple[int, bytes] | None, ledger_anchor: tuple[int, bytes] | None) -> None:
    """Read the whole log and the whole ledger; exit 1 at the first entry that does not fit.

    Own stock is recomputed from the ledger, too.
    """

    async def work(connection: AsyncConnection) -> tuple[audit.Head, chain.Head, list[str]]:
        log = await audit.verify(connection, None if anchor is None else audit.Head(*anchor))
        ledger = await chain.verify(connection, None if ledger_anchor is None else chain.Head(*ledger_anchor))
        return log, ledger, await own_stock.differences(connection)

    log, ledger, wrong = in_transaction(work)
    click.echo(f"{log.number} entries, unbroken; the end is {log.number}:{log.hash.hex()}")
    click.echo(f"the ledger is unbroken to event {ledger.sequence}; its end is {ledger.sequence}:{ledger.hash.hex()}")
    for text in wrong:
        click.echo(text)
    context.exit(1 if wrong else 0)
