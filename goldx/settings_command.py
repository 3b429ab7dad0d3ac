"""``goldx settings``: prints the settings in effect, or the table of all settings in ``docs/operations.md``."""

import click

from goldx.hosting.settings import PREFIX, Settings, allowed, masked
from goldx.output import JSON, print_table


@click.command()
@click.option("--table", is_flag=True, help="All settings as a Markdown table instead.")
@JSON
def settings(table: bool) -> None:
    """Print the settings in effect, passwords masked."""
    if table:
        click.echo(markdown_table())
        return
    effective = Settings()
    print_table(
        "setting value", ((name, masked(name, getattr(effective, name)) or None) for name in Settings.model_fields)
    )


def markdown_table() -> str:
    """Return the table of all settings that ``docs/operations.md`` holds."""
    lines = ["| setting | environment | default | allowed | what it is |", "|---|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if field.default is not None else "unset"
        values = allowed(name).replace("|", "\\|")
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {default} | {values} | {field.description} |")
    return "\n".join(lines)
