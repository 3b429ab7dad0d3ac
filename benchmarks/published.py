"""The figures of docs/benchmarks.md: run a bench, keep what it printed beside the page, write its tables into the page.

``python -m benchmarks.published`` writes the tables of what is kept; with names of measurements it runs these first, on
a machine that should do nothing else. docs/benchmarks/NAME.json holds the command, the machine, the date and the commit
beside the bench's own JSON, so that no figure of the page is without them.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import tables
from goldx.hosting.compiled import SWITCH

PAGE: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"
FOLDER: Final = PAGE.with_suffix("")
COMPILED: Final = "compiled"
INTERPRETED: Final = "interpreted"


class Measurement(NamedTuple):
    """One run of ``goldx bench``: its arguments, the build that runs, and what its JSON becomes on the page.

    ``build`` is empty where the bench itself runs both.
    """

    arguments: tuple[str, ...]
    build: str
    tables: Callable[[Any], str]

    @property
    def command(self) -> str:
        """The command as one types it."""
        return (f"{SWITCH}={self.build} " if self.build else "") + " ".join(("goldx bench", *self.arguments))


PEERS: Final = ("--peer", "liquibook", "--peer", "liquibook unheard", "--peer", "lightmatchingengine")
MEASUREMENTS: Final = {
    "chain": Measurement(("chain", "--json"), COMPILED, tables.chain),
    "chain-interpreted": Measurement(("chain", "--json"), INTERPRETED, tables.chain),
    "matching": Measurement(("matching", "--json", *PEERS), "", tables.matching),
    "growth": Measurement(("matching", "--growth", "--json"), COMPILED, tables.growth),
    "growth-interpreted": Measurement(("matching", "--growth", "--json"), INTERPRETED, tables.growth),
    "recovery": Measurement(("recovery", "--json"), COMPILED, tables.parts),
    "recovery-interpreted": Measurement(("recovery", "--json"), INTERPRETED, tables.parts),
    "gateway-start": Measurement(("gateway-start", "--json"), COMPILED, tables.parts),
    "gateway-start-interpreted": Measurement(("gateway-start", "--json"), INTERPRETED, tables.parts),
    "settlement": Measurement(("settlement", "--json"), INTERPRETED, tables.settlement),
    "settlement-growth": Measurement(
        ("settlement", "--growth", "--events", "13000000", "--accounts", "1000", "--json"), INTERPRETED, tables.postings
    ),
    "close": Measurement(("close", "--json"), INTERPRETED, tables.close),
    "reconciliation": Measurement(("reconciliation", "--seed", "20261130", "--json"), INTERPRETED, tables.differences),
    "settlement-scale": Measurement(("settlement-scale", "--json"), INTERPRETED, tables.lots),
}


def machine() -> dict[str, Any]:
    """Return what matters of this machine."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory_kb = int(re.findall(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[0])
    return {
        "processor": model[1] if model else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_kb / 2**20),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """Return the short name of the commit that is checked out; "unknown" without git or in an unpacked archive."""
    if shutil.which("git") is None:
        return "unknown"
    command = ("git", "rev-parse", "--short", "HEAD")
    done = subprocess.run(command, cwd=PAGE.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def record(name: str, measurement: Measurement, folder: Path) -> None:
    """Run a measurement and keep its JSON with what was run, where and when. Raises CalledProcessError."""
    environment = os.environ | ({SWITCH: measurement.build} if measurement.build else {})
    command = (sys.executable, "-m", "goldx.cli", "bench", *measurement.arguments)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    kept = {
        "command": measurement.command,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "result": json.loads(done.stdout.splitlines()[-1]),
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def section(name: str, measurement: Measurement, folder: Path) -> str:
    """Return what the page says of a measurement: command, machine, date, and its tables."""
    kept = json.loads((folder / f"{name}.json").read_text())
    on = kept["machine"]
    head = (
        f"`{kept['command']}`, {kept['date']}, commit {kept['commit']}, "
        f"{on['processors']} processors ({on['processor']}), {on['memory_gib']} GiB, Linux {on['kernel']}, "
        f"Python {on['python']}: [raw output](benchmarks/{name}.json)"
    )
    return f"{head}\n\n{measurement.tables(kept['result'])}"


def written(page: str, folder: Path) -> str:
    """Return the page with the tables of all measurements that are kept."""
    for name, measurement in MEASUREMENTS.items():
        if (folder / f"{name}.json").exists():
            start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
            before, found, rest = page.partition(start)
            _, closed, after = rest.partition(end)
            if not (found and closed):
                raise ValueError(f"the page has no place for {name}: {start.strip()} and {end}")
            page = f"{before}{start}\n{section(name, measurement, folder)}\n\n{end}{after}"
    return page


def main(names: Sequence[str]) -> None:
    """Run the named measurements, then write the page."""
    for name in names:
        record(name, MEASUREMENTS[name], FOLDER)
    PAGE.write_text(written(PAGE.read_text(), FOLDER))


if __name__ == "__main__":
    main(sys.argv[1:])
