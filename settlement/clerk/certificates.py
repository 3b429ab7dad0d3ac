"""``goldx clerk certificate``: certificates on paper, checked against the register, and computed again."""

from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_weight
from settlement.assays import certificate_pdf, certificates
from settlement.base.arithmetic import format_fineness
from settlement.clerk.group import clerk, may
from settlement.service.cli import in_transaction


class _Certificates(click.Group):
    """``certificate 17 --out FILE`` is ``certificate print 17 --out FILE``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, ["print", *args] if args[0].isdigit() else args)


@clerk.group("certificate", cls=_Certificates)
def certificate_group() -> None:
    """Certificates; `certificate 17 --out FILE` prints one."""


@certificate_group.command("print")
@click.argument("number", type=int)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The PDF to write.")
@click.pass_obj
def print_certificate(by: str, number: int, out: Path) -> None:
    """Write certificate NUMBER as PDF."""

    async def work(connection: AsyncConnection) -> certificates.Certificate:
        await may(connection, by, "settle", "supervise")
        return await certificates.find(connection, number)

    found = in_transaction(work)
    out.write_bytes(certificate_pdf.render(found))
    click.echo(f"{out}: certificate {number}, SHA-256 {found.hash.hex()}")


@certificate_group.command("verify")
@click.argument("number", type=int)
@click.argument("sha256")
@click.pass_context
def verify(context: click.Context, number: int, sha256: str) -> None:
    """Check NUMBER and SHA256, as the QR code holds them, against the register; exit 1 if it has no such one."""

    async def work(connection: AsyncConnection) -> certificates.Verdict:
        await may(connection, context.obj, "settle", "supervise", "operate")
        return await certificates.check(connection, number, certificates.parse_hash(sha256))

    verdict = in_transaction(work)
    if verdict.status == "VALID":
        click.echo(f"certificate {number} is in the register; its lot is {verdict.lot_state}")
    elif verdict.status == "DIFFERENT":
        click.echo(f"certificate {number} of the register has another SHA-256: this is not what was issued")
    else:
        click.echo(f"the register has no certificate {number}")
    context.exit(0 if verdict.status == "VALID" else 1)


@certificate_group.command("recompute")
@click.argument("numbers", type=int, nargs=-1)
@click.pass_context
def recompute(context: click.Context, numbers: tuple[int, ...]) -> None:
    """Compute certificates NUMBERS (default: all) again from their raw replicates; exit 1 if a figure differs."""

    async def work(connection: AsyncConnection) -> tuple[int, list[str]]:
        await may(connection, context.obj, "settle", "supervise")
        wrong = []
        wanted = numbers or tuple(await certificates.numbers(connection))
        for number in wanted:
            found = await certificates.find(connection, number)
            wrong += [
                f"certificate {number}: {text}" for text in await certificates.against_register(connection, found)
            ]
        return len(wanted), wrong

    count, wrong = in_transaction(work)
    for text in wrong:
        click.echo(text)
    click.echo(f"{count} certificates computed again: {len(wrong)} differences")
    context.exit(1 if wrong else 0)


@certificate_group.command("show")
@click.argument("number", type=int)
@click.pass_obj
def show(by: str, number: int) -> None:
    """Show what certificate NUMBER says: its text, as it is hashed."""

    async def work(connection: AsyncConnection) -> certificates.Certificate:
        await may(connection, by, "settle", "supervise")
        return await certificates.find(connection, number)

    found = in_transaction(work)
    content = found.content
    fineness, fine = format_fineness(content["finding"]["fineness_e5"]), format_weight(content["fine"]["fine_mg"])
    click.echo(f"certificate {number}, lot {found.lot_id}: {fineness} per mille, {fine} g fine")
    click.echo(f"SHA-256 {found.hash.hex()}")
    click.echo(found.text)
