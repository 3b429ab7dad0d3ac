"""Nothing in the product is there for the tests alone or for nobody: vulture finds no unused function, class or import.

Fields of records are left out: they are read by schemas, not by name. Constants of modules are not.
"""

import re
import subprocess
import sys
from pathlib import Path

from tests.repository.sources import PRODUCT, ROOT, files, text_of

VULTURE = [str(Path(sys.executable).with_name("vulture")), "--min-confidence", "60"]
CALLED_BY_FRAMEWORKS = (
    "@router.*",
    "@public.*",
    "@benchmarks.*",
    "@members.*",
    "@app.*",
    "@*.command*",
    "@*.group*",
    "@*.exception_handler*",
    "@pydantic.*",
    "@model_validator*",
)
ENTRY_POINTS = re.compile(r'^[\w-]+ = "([\w.]+):(\w+)"$', re.MULTILINE)
NAMED_IN_TEXT = re.compile(r'"[a-z_.]+:(\w+)"')
"""Names that are imported when they are needed, written as ``module:name``."""
CALLED_FROM_OUTSIDE = {
    "capture_signals",  # uvicorn
    "convert",  # click
    "format_commands",
    "process_bind_param",  # SQLAlchemy
    "process_result_value",
    "settings_customise_sources",  # pydantic-settings
    "_sentinel_url",  # pydantic, by its decorator
    "_proxy_addresses",
    "send_400_response",  # uvicorn
    "keepalive_timeout",
    "timeout_keep_alive_handler",
    "on_url",
    "on_header",
    "on_headers_complete",
    "on_message_begin",
    "on_message_complete",
    "cancel_after",  # members, by the client
    "session_status",
    "heartbeats",
    "propose_deal",
    "accept_deal",
    "decline_deal",
    "cancel_deal",
    "create_rfq",
    "quote_rfq",
    "withdraw_rfq",
    "accept_rfq",
    "cancel_rfq",
    "rfqs",
}
READ_BY_PROGRAMS_OF_MEMBERS = {
    "CANCEL_REASONS",  # the words of `reason` in notifications, each with a text; docs/protocol.md shows the table
    "CLIENT",  # numbers beside ACCOUNT_KINDS and TRADING_MODES, of which the product reads the others
    "PRICE_LIST",
    "LOT_AUCTION",
}
"""Constants of ``goldx.protocol``, which is installed with the member's client."""
CONSTANT = re.compile(r"(.+):(\d+): unused variable '(_?[A-Z][A-Z0-9_]*)' ")


def is_of_a_record(line: str) -> bool:
    """Return whether a finding is a field or an attribute, and no constant of a module."""
    if not re.search(r"unused (?:variable|attribute) ", line):
        return False
    match = CONSTANT.match(line)
    return match is None or (ROOT / match[1]).read_text().splitlines()[int(match[2]) - 1].startswith(" ")


def test_every_name_is_used() -> None:
    found = subprocess.run(
        [*VULTURE, *PRODUCT, "benchmarks", "--ignore-decorators", ",".join(CALLED_BY_FRAMEWORKS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in (0, 3), found.stderr
    used = (
        CALLED_FROM_OUTSIDE
        | READ_BY_PROGRAMS_OF_MEMBERS
        | {name for _, name in ENTRY_POINTS.findall((ROOT / "pyproject.toml").read_text())}
    )
    used |= {name for file in files(*PRODUCT) for name in NAMED_IN_TEXT.findall(text_of(file))}
    dead = [
        line
        for line in found.stdout.splitlines()
        if not is_of_a_record(line)
        and (match := re.search(r"'(\w+)'", line)) is not None
        and match[1] not in used
        and not line.startswith(("benchmarks/", "settlement/migrations/versions/"))
    ]
    assert dead == []
