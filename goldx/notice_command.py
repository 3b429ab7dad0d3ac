"""``goldx notice``: the venue's notices, and who has acknowledged one."""

import json
from pathlib import Path
from typing import Any

import click

URL = click.option("--url", help="The gateway; without it, the setting gateway_url or the running `goldx serve`.")


@click.group()
def notice() -> None:
    """Read the venue's notices. An operator publishes one: goldx operator notice.publish."""


@notice.command(name="list")
@click.option("--after", type=click.IntRange(min=1), help="Only those before this number, as `more follow` gives it.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="So many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@URL
def list_notices(after: int | None, limit: int, as_json: bool, url: str | None) -> None:
    """Print the newest notices, and which of them members have to acknowledge."""
    # Loaded here, so that --help does without them.
    from goldx.hosting.operator_request import read_gateway

    page = f"limit={limit}" if after is None else f"limit={limit}&after={after}"
    answer = read_gateway(f"/v1/notices?{page}", url)
    for found in answer["notices"]:
        click.echo(json.dumps(found, ensure_ascii=False) if as_json else _text(found))
    if answer["next"] is not None:
        click.echo(f"more follow: --after {answer['next']}", err=True)


@notice.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--key", "key_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@URL
def answers(number: int, key_file: Path, url: str | None) -> None:
    """Print which members have acknowledged notice NUMBER and which have still to, as JSON.

    Takes a key with the permission operate or supervise.
    """
    from goldx.hosting.operator_request import read_gateway
    from goldx.protocol.units import BadValue

    try:
        found = read_gateway(f"/v1/notices/{number}/answers", url, key_file)
    except BadValue as error:
        raise click.BadParameter(str(error)) from error
    click.echo(json.dumps(found, ensure_ascii=False, indent=1))


def _text(found: dict[str, Any]) -> str:
    """Return a notice as people read it, in both languages if it has both."""
    from goldx.timetable.venue_time import shown_time

    head = f"{found['notice_id']}  {shown_time(found['at'])}  {found['title']}"
    if (newer := found.get("replaced_by")) is not None:
        head += f"  (replaced by {newer})"
    if found.get("to_acknowledge"):
        head += "  (to be acknowledged by members)"
    texts = [found["text"], *(found[name] for name in ("title_zh", "text_zh") if name in found)]
    return "\n".join([head, *(f"    {line}" for text in texts for line in text.splitlines())])
