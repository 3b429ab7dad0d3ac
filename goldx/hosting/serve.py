"""``goldx serve``: the whole exchange on this machine until Ctrl-C or SIGTERM."""

import asyncio
import signal
from collections.abc import Collection

import click

from goldx.hosting import logging
from goldx.hosting.servers import ServerFailed
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import SERVICES, AlreadyRunning, Supervisor


@click.command()
@click.option("--servers", is_flag=True, help="Valkey and PostgreSQL alone, for a repair: no service starts.")
def serve(servers: bool) -> None:
    """Start the exchange in the data directory, and keep it running until Ctrl-C.

    Valkey and PostgreSQL are the embedded ones unless the settings name others.
    """
    logging.configure("serve")
    settings = Settings()
    try:
        asyncio.run(_serve(settings, () if servers else SERVICES))
    except (AlreadyRunning, ServerFailed) as error:
        raise click.ClickException(str(error)) from None


async def _serve(settings: Settings, services: Collection[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(_run(settings, services, stop))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await running


async def _run(settings: Settings, services: Collection[str], stop: asyncio.Event) -> None:
    click.echo(f"data directory {settings.data_dir.absolute()}")
    async with Supervisor(settings, services=services, report=click.echo, negotiated=bool(services)) as supervisor:
        if services:
            click.echo(f"API documentation  {supervisor.gateway_url}/docs")
            click.echo(f"operators' pages   {supervisor.console_url}")
        click.echo("READY serve; Ctrl-C stops everything")
        await stop.wait()
        click.echo("stopping")
