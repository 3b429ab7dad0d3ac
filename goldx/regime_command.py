"""``goldx regime``: the legal regime of the venue and its history, as a gateway shows them."""

import json

import click


@click.command()
@click.option("--url", help="The gateway; without it, the setting gateway_url or the running `goldx serve`.")
def regime(url: str | None) -> None:
    """Print the legal regime in force with its document and the history, as JSON.

    Two operators set one: goldx operator venue.set_regime.
    """
    # Loaded here, so that --help does without them.
    from goldx.hosting.operator_request import read_gateway

    click.echo(json.dumps(read_gateway("/v1/venue/regime", url), ensure_ascii=False, indent=1))
