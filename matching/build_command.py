"""``goldx build-core``: compiles the matching core with the C compiler of the machine."""

import click

from matching import compiled


@click.command(name="build-core")
def build_core() -> None:
    """Compile the matching core (needs a C compiler and mypy; takes about half a minute).

    From then on the compiled core is used as long as its sources do not change; GOLDX_CORE=interpreted avoids it.
    """
    try:
        target = compiled.build()
    except compiled.BuildFailed as failure:
        raise click.ClickException(f"the core could not be compiled; it works without\n{failure}") from failure
    click.echo(f"compiled core in {target}")
