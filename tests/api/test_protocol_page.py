"""The tables of docs/protocol.md are those of the code."""

import re
from pathlib import Path

import msgspec

from api.app import GatewayServer
from api.sessions import close_codes
from api.sessions.trading import SET_BY_GATEWAY
from goldx.protocol.commands import MEMBER_COMMANDS, OPERATOR_COMMANDS, AnyCommand
from goldx.protocol.reasons import CANCEL_REASONS, REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
CODES_OF_THE_LIBRARIES = {1009, 1012}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the rows of all tables under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| `method")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_shows_every_reason_with_its_text_and_status() -> None:
    shown = [tuple(cell.strip("`") for cell in row) for row in rows("Reasons") if row[0] != "reason"]
    refusals = [(word, reason.text, str(reason.http_status)) for word, reason in REASONS.items()]
    assert shown == [*refusals, *CANCEL_REASONS.items()]


async def test_the_page_shows_every_method(gateway: GatewayServer) -> None:
    shown = [row[0].strip("`") for row in rows("Methods") if row[0] != "method"]
    assert sorted(shown) == sorted(gateway.gateway._methods)


def params_of(command: type[AnyCommand]) -> list[str]:
    fields = msgspec.structs.fields(command)
    return [f.name if f.required else f"{f.name}?" for f in fields if f.name not in SET_BY_GATEWAY]


def test_the_page_shows_every_parameter_of_every_command() -> None:
    shown = {row[0].strip("`"): row[1] for row in rows("Methods")}
    for command in (*MEMBER_COMMANDS, *OPERATOR_COMMANDS):
        params = re.match("`([^`]*)`", shown[command.method])
        assert params is not None
        assert params[1].split(", ") == params_of(command), command.method


def test_the_page_shows_every_close_code() -> None:
    codes = {value for name, value in vars(close_codes).items() if name.isupper()}
    assert {int(row[0]) for row in rows("Close codes") if row[0] != "code"} == codes | CODES_OF_THE_LIBRARIES
