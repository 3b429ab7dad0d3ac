"""``goldx clerk``: the files that were taken in, as they came."""

from pathlib import Path

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.clerk.group import clerk, may
from settlement.intake import files
from settlement.service.cli import in_transaction


@clerk.group("files")
def files_group() -> None:
    """Bar lists and statements, kept as they came."""


@files_group.command("list")
@click.pass_obj
def list_files(by: str) -> None:
    """Show files, tab separated: number, kind, name, rows, by whom, SHA-256."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        after = 0
        while found := await files.listing(connection, after):
            for row in found:
                fields = (row.file_no, row.kind, row.name, row.rows, row.taken_by, row.sha256.hex())
                click.echo("\t".join(map(str, fields)))
            after = found[-1].file_no

    in_transaction(work)


@files_group.command("get")
@click.argument("number", type=int)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Must not exist.")
@click.pass_obj
def get_file(by: str, number: int, out: Path) -> None:
    """Write the file NUMBER as it came."""

    async def work(connection: AsyncConnection) -> Row[tuple[object, ...]]:
        await may(connection, by, "settle", "supervise")
        return await files.original(connection, number)

    row = in_transaction(work)
    with out.open("xb") as target:
        target.write(row.content)
    click.echo(f"{out}: {row.name}, {len(row.content)} bytes, SHA-256 {row.sha256.hex()}")
