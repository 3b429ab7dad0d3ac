"""The commands of ``goldx member``, ``goldx staff`` and ``goldx key``: who may use the exchange, with which keys.

Access to the exchange's own machine is the authority here, as it is for the database itself; every act is in the audit
log all the same, under the name of the user of the operating system.
"""

import asyncio
import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from redis.exceptions import RedisError
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.client.keys import Key
from goldx.hosting.errors import NotRunning
from goldx.hosting.running import resolve_database_url, resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.output import JSON, print_record
from goldx.protocol.units import BadValue
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from settlement.base import registry, standings
from settlement.base.database import connect as connect_database
from settlement.base.database import migrate
from settlement.base.database_errors import Meaning, describe, meaning_of
from settlement.base.key_reader import KeyReader, RegisterAway
from settlement.base.paging import Page, PageRequest
from settlement.base.public_keys import LONGEST, PublicHalf, parse_public_half
from settlement.base.refusal import Refused
from settlement.documents.registered import ENDING, STATUSES
from settlement.service.commands import in_transaction
from settlement.service.listings import PAGE, print_pages
from settlement.service.standings import Standings, StepTaken

REASON = click.option("--reason", required=True, help="Why; it is in the audit log.")


def administrator() -> str:
    """Return who acts: the user of the operating system."""
    return f"host:{getpass.getuser()}"


def _words(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(","))


@click.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--name-zh", default="")
def add_member(code: str, name: str, name_zh: str) -> None:
    """Register the member firm CODE."""
    in_transaction(lambda connection: registry.add_member(connection, administrator(), code, name, name_zh))
    click.echo(f"member {code} is registered")


@click.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--permissions", required=True, callback=_words, help="Some of operate,settle,supervise,warehouse.")
def add_staff(code: str, name: str, permissions: tuple[str, ...]) -> None:
    """Register CODE, one of the staff."""
    in_transaction(lambda connection: registry.add_staff(connection, administrator(), code, name, permissions))
    click.echo(f"staff {code} is registered")


def _holder(member_code: str | None, staff_code: str | None) -> dict[str, str | None]:
    return {"member_code": member_code, "staff_code": staff_code}


@click.command("create")
@click.option("--member", "member_code", help="The member whose key it is; or --staff.")
@click.option("--staff", "staff_code", help="The one of the staff whose key it is; or --member.")
@click.option("--permissions", default="trade", show_default=True, callback=_words)
@click.option("--key-id", help="Default: the holder's code and a number.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Private key file; must not exist.")
def create_key(
    member_code: str | None, staff_code: str | None, permissions: tuple[str, ...], key_id: str | None, out: Path
) -> None:
    """Make a key pair: the private key goes into a file, the public key into the register.

    A member makes its own key pair and sends the public half (`goldx key add`); then nobody else ever has its key.
    """

    async def work(connection: AsyncConnection) -> Key:
        name = key_id or await registry.free_key_id(connection, str(member_code or staff_code))
        made = Key.generate(name)
        holder = _holder(member_code, staff_code)
        await registry.add_key(connection, administrator(), name, made.public_bytes, **holder, permissions=permissions)
        made.save(out)
        return made

    click.echo(f"key {in_transaction(work).key_id} is registered; its private half is in {out}")


def _public_half(_context: click.Context, _parameter: click.Parameter, value: str) -> PublicHalf:
    try:
        path = Path(value)
        if len(value) < LONGEST and path.is_file():
            with path.open("rb") as file:
                value = file.read(LONGEST + 1).decode(errors="replace")
        return parse_public_half(value)
    except (BadValue, OSError) as error:
        raise click.BadParameter(str(error)) from error


@click.command("add")
@click.argument("public", callback=_public_half)
@click.option("--member", "member_code", help="The member whose key it is; or --staff.")
@click.option("--staff", "staff_code", help="The one of the staff whose key it is; or --member.")
@click.option("--permissions", default="trade", show_default=True, callback=_words)
@click.option("--key-id", help="Default: the one of the request, or the holder's code and a number.")
def add_key(
    public: PublicHalf,
    member_code: str | None,
    staff_code: str | None,
    permissions: tuple[str, ...],
    key_id: str | None,
) -> None:
    """Register the PUBLIC half of a key pair that its holder has made.

    PUBLIC is a file or 64 hexadecimal characters. A file has the request that `python -m goldx.client.new_key` prints,
    which is checked to be for this holder, or a PEM block as OpenSSL writes it.
    """

    async def work(connection: AsyncConnection) -> str:
        holder = _holder(member_code, staff_code)
        return await registry.add_public_half(
            connection, administrator(), public, key_id, **holder, permissions=permissions
        )

    name = in_transaction(work)
    click.echo(
        f"key {name} is registered for {member_code or staff_code}; its public half is {public.public_key.hex()}"
    )


def _when(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


COLUMNS: Final = {
    "member": "member name name_zh status since by reason",
    "staff": "staff name permissions status since by reason",
    "key": "key holder permissions status since by reason",
}


def _row(kind: str, found: Row[Any]) -> tuple[object, ...]:
    """Return code, details of the kind, status, and the last change, as COLUMNS names them."""
    if kind == "member":
        own: tuple[object, ...] = (found.member, found.name, found.name_zh)
    elif kind == "staff":
        own = (found.staff, found.name, list(found.permissions))
    else:
        own = (found.key_id, found.member or found.staff, list(found.permissions))
    return *own, found.status, _when(found.changed_at), found.changed_by, found.reason


def _record(kind: str, found: Row[Any]) -> dict[str, object]:
    return dict(zip(COLUMNS[kind].split(), _row(kind, found), strict=True))


def _take(step: str, kind: str, code: str, reason: str) -> StepTaken:
    """Take a step, with the database migrated if it answers. A refusal ends the command with its reason."""

    async def run() -> StepTaken:
        settings = Settings()
        url = resolve_database_url(settings)
        reader, reachable = KeyReader(url), True
        try:
            await reader.ping()
            await migrate(url)
        except RegisterAway as error:
            click.echo(str(error), err=True)
            reachable = False
        finally:
            reader.close()
        try:
            redis = connect(resolve_redis_url(settings))
        except NotRunning as error:
            click.echo(str(error), err=True)
            redis = None
        database = connect_database(url)
        try:
            found = Standings(url, database, redis, Keys(settings.shard))
            return await found.take(step, kind, code, administrator(), reason, reachable=reachable)
        finally:
            if redis is not None:
                await redis.aclose()
            await database.dispose()

    try:
        return asyncio.run(run())
    except (BadValue, Refused, RedisError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except SQLAlchemyError as error:
        if meaning_of(error) is Meaning.MISTAKE:
            raise
        raise click.ClickException(describe(error)) from error


DONE = {"ACTIVE": "in use again", "SUSPENDED": "suspended", "ENDED": "ended"}


def _say(taken: StepTaken) -> None:
    done = "revoked" if (taken.kind, taken.status) == ("key", "ENDED") else DONE[taken.status]
    text = f"{taken.kind} {taken.code} is {done}"
    if not taken.registered:
        text += " at the gateways; they write it into the register when that is back"
    elif not taken.noticed:
        text += "; Redis is away, the gateways read it in SQL"
    click.echo(text)


OWN: Final = {"member": (add_member,), "staff": (add_staff,), "key": (create_key, add_key)}
"""The commands that only one of the groups has."""


def add_commands(group: click.Group, kind: str) -> None:
    """Give a group its own commands, and those that members, staff and keys have in common."""
    for command in OWN[kind]:
        group.add_command(command)
    named = {"member": "the member CODE", "staff": "CODE, one of the staff", "key": "the key CODE"}[kind]

    @group.command("list", help="Show all, each with its status: since when, by whom, why.")
    @click.option("--status", type=click.Choice(STATUSES), help="Only these.")
    @PAGE
    def list_all(status: str | None, page: PageRequest) -> None:
        async def listing(connection: AsyncConnection, part: PageRequest) -> Page[Row[Any]]:
            return await standings.listing(connection, kind, part, status=status)

        def cells(row: Row[Any]) -> tuple[object, ...]:
            return _row(kind, row)

        in_transaction(lambda connection: print_pages(connection, page, COLUMNS[kind], listing, cells))

    @group.command("show", help=f"Show {named}: its row as `list` does, its keys or its public half, its changes.")
    @JSON
    @click.argument("code")
    def show(code: str) -> None:
        async def work(connection: AsyncConnection) -> tuple[Row[Any], list[Row[Any]], list[Row[Any]]]:
            row = await standings.find(connection, kind, code)
            return row, await standings.keys_of(connection, kind, code), await standings.changes(connection, kind, code)

        row, keys, changes = in_transaction(work)
        record = _record(kind, row)
        if kind == "key":
            record["public_half"] = row.public_key.hex()
        else:
            record["keys"] = [_record("key", found) for found in keys]
        record["changes"] = [
            {"at": _when(one.changed_at), "status": one.status, "by": one.changed_by, "reason": one.reason}
            for one in changes
        ]
        print_record(record)

    def add(step: str, text: str) -> None:
        @group.command(step, help=text)
        @click.argument("code")
        @REASON
        def take(code: str, reason: str) -> None:
            _say(_take(step, kind, code, reason))

    away = "The gateways learn it over Redis or Valkey, also while the database is away."
    add("suspend", f"Suspend {named} at once: sessions end, orders are cancelled. {away}")
    add("resume", f"Take {named} up again, which was suspended.")
    add(ENDING[kind], f"End {named} at once and for good: sessions end, orders are cancelled. {away}")
