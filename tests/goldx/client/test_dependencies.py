"""The client can be installed alone: it imports few other distributions, and of GoldX only what lies below it."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions

CLIENT = {"cryptography", "msgspec", "sortedcontainers", "websockets"}
INDIRECT = {"cffi", "typing_extensions"}
"""cryptography needs the one; msgspec imports the other where it is installed."""
PROGRAM = """
import json, pkgutil, sys
before = set(sys.modules)
import goldx.client
for module in pkgutil.walk_packages(goldx.client.__path__, "goldx.client."):
    __import__(module.name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_the_client_needs_its_four_distributions_and_the_protocol_alone() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stdout)
    distributions = packages_distributions()
    imported = {name for module in modules for name in distributions.get(module.partition(".")[0], ())}
    assert imported - INDIRECT - {"goldx"} == CLIENT
    folders = {".".join(module.split(".")[:2]) for module in modules if module.startswith("goldx.")}
    assert folders == {"goldx.client", "goldx.protocol", "goldx.retry"}
