"""``goldx operator``: one command of the venue, through a gateway's REST."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import httpx


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
    import httpx

    from goldx.client.keys import Key
    from goldx.hosting.running import resolve_gateway_url
    from goldx.hosting.settings import Settings
    from goldx.protocol.units import BadValue

    try:
        given = json.loads(params)
        if not isinstance(given, dict):
            raise BadValue("params", given, "a JSON object")
        body = {"method": method, "params": given | {"reason": reason}}
        token = Key.load(key_file).bearer_token()
    except (json.JSONDecodeError, BadValue) as error:
        raise click.BadParameter(str(error)) from error
    base = url or resolve_gateway_url(Settings())
    try:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{base}/v1/operator/commands", json=body, headers=headers, timeout=30.0, trust_env=False)
    except httpx.HTTPError as error:
        raise click.ClickException(f"{base}: {error}") from error
    if answer.is_error:
        raise click.ClickException(_refusal(answer))
    if (preview := answer.json().get("preview")) is not None:
        click.echo(json.dumps(preview, ensure_ascii=False))
    for event in answer.json()["events"]:
        click.echo(json.dumps(event, ensure_ascii=False))


def _refusal(answer: httpx.Response) -> str:
    """Return the text of a gateway's refusal, or the whole answer if it is none."""
    try:
        problem = answer.json()
        reason, detail = problem.get("reason"), problem["detail"]
    except (ValueError, LookupError, AttributeError):
        return f"{answer.status_code}: {answer.text}"
    return f"{reason}: {detail}" if reason else detail
