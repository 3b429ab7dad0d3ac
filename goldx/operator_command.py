"""``goldx operator``: one command of the venue, through a gateway's REST."""

import json
from pathlib import Path

import click


@click.command()
@click.argument("method")
@click.argument("params", default="{}")
@click.option("--key", "key_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--reason", required=True, help="The reason, which the audit log records.")
@click.option("--url", help="The gateway; without it, the setting gateway_url or the running `goldx serve`.")
def operator(method: str, params: str, key_file: Path, reason: str, url: str | None) -> None:
    """Give one command of the venue and print its events, one JSON object a line.

    Example: goldx operator market.set_phase '{"symbol": "AU-SCRAP", "phase": "continuous"}'
    --reason opening --key operator-1.pem
    """
    # Loaded here, so that --help does without them.
    from goldx.hosting.operator_request import give_command
    from goldx.protocol.units import BadValue

    try:
        given = json.loads(params)
        if not isinstance(given, dict):
            raise BadValue("params", given, "a JSON object")
        answer = give_command(method, given, reason, key_file, url)
    except (json.JSONDecodeError, BadValue) as error:
        raise click.BadParameter(str(error)) from error
    if (preview := answer.get("preview")) is not None:
        click.echo(json.dumps(preview, ensure_ascii=False))
    for event in answer["events"]:
        click.echo(json.dumps(event, ensure_ascii=False))
