"""``goldx build-core``: compiles the modules on every order's path with the C compiler of the machine."""

from importlib.metadata import entry_points

import click

from goldx.hosting.compiled import BuildFailed, Compiled


@click.command(name="build-core")
def build_core() -> None:
    """Compile the matching core and the gateway's view (needs a C compiler and mypy; takes a minute or two).

    From then on they are used as long as their sources do not change; GOLDX_CORE=interpreted avoids it.
    """
    for entry in entry_points(group="goldx.compiled"):
        part = entry.load()
        if not isinstance(part, Compiled):
            raise TypeError(f"entry point {entry.value} is not a Compiled")
        try:
            target = part.build()
        except BuildFailed as failure:
            hint = "it works without; from a checkout, `python3 -m goldx build-core` installs what this needs"
            text = f"{part.package} could not be compiled; {hint}\n{failure}"
            raise click.ClickException(text) from failure
        click.echo(f"compiled {entry.name} in {target}")
