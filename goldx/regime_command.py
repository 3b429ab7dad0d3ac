"""``goldx regime``: the legal regime of the venue, and how it begins where services are started one by one."""

import asyncio
import json

import click


@click.group(invoke_without_command=True)
@click.option("--url", help="The gateway; without it, the setting gateway_url or the running `goldx serve`.")
@click.pass_context
def regime(context: click.Context, url: str | None) -> None:
    """Print the legal regime in force with its document and the history, as JSON.

    Two operators set one: goldx operator venue.set_regime.
    """
    if context.invoked_subcommand is not None:
        return
    # Loaded here, so that --help does without them.
    from goldx.hosting.operator_request import read_gateway

    click.echo(json.dumps(read_gateway("/v1/venue/regime", url), ensure_ascii=False, indent=1))


@regime.command()
def begin() -> None:
    """Set the regime NEGOTIATED as the first command of a fresh exchange, before its services start.

    `goldx serve` does so itself. An exchange that has begun already stays as it is.
    """
    from redis.exceptions import RedisError

    from goldx.hosting.first_regime import declare_negotiated
    from goldx.hosting.running import resolve_redis_url
    from goldx.hosting.settings import Settings

    settings = Settings()
    try:
        declared = asyncio.run(declare_negotiated(resolve_redis_url(settings), settings, "goldx regime begin"))
    except (OSError, RedisError) as error:
        raise click.ClickException(f"the journal does not take the first command: {error}") from error
    click.echo("the legal regime is NEGOTIATED" if declared else "the exchange has begun already: nothing is changed")
