"""Names of uvicorn, redis-py, hiredis and websockets that their authors do not document, and that GoldX uses.

An upgrade may rename any of them without notice. ``PRIVATE_NAMES`` is the whole list: the tests say which name is gone
in the installed version, and which name is used without standing here. pyproject.toml bounds the versions.
"""

import ast
import asyncio
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from fastapi import FastAPI
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.server import ServerProtocol

from tests.repository.sources import PRODUCT, ROOT, files, name_of, nodes_of

PRIVATE_MODULES = {
    "redis.asyncio.connection": "goldx/streams/redis_client.py",
    "uvicorn.protocols.http.httptools_impl": "api/edge/http.py",
    "uvicorn.protocols.websockets.websockets_sansio_impl": "api/sessions/link.py",
    "websockets.speedups": "api/sessions/framing.py",
}
"""Modules that are imported though they are not documented -> where."""

DOCUMENTED_MODULES = {
    "hiredis",
    "redis.asyncio",
    "redis.asyncio.client",
    "redis.asyncio.retry",
    "redis.asyncio.sentinel",
    "redis.backoff",
    "redis.exceptions",
    "uvicorn",
    "websockets.asyncio.client",
    "websockets.exceptions",
    "websockets.http11",
}


class PrivateNames(NamedTuple):
    """Undocumented ``names`` of what ``make`` returns, used in the module ``where``."""

    where: str
    make: Callable[[], Any]
    names: tuple[str, ...]


def websocket_protocol() -> Any:
    return WebSocketsSansIOProtocol(uvicorn.Config(FastAPI()), ServerState(), {}, asyncio.get_running_loop())


def http_protocol() -> Any:
    return HttpToolsProtocol(uvicorn.Config(FastAPI()), ServerState(), {}, asyncio.get_running_loop())


def sentinel_pool() -> Any:
    make_sentinel: Any = Sentinel
    make_pool: Any = SentinelConnectionPool
    return make_pool("service", make_sentinel([("127.0.0.1", 1)]))


LINK = PrivateNames(
    "api/sessions/link.py",
    websocket_protocol,
    (
        "close_sent",
        "close_timeout",
        "close_timer",
        "config",
        "conn",
        "connection_lost",
        "connection_made",
        "data_received",
        "disconnected",
        "frames",
        "handle_connect",
        "keepalive_timeout",
        "loop",
        "pending_ping_payload",
        "pong_timer",
        "resume_writing",
        "scope",
        "send_receive_event_to_app",
        "transport",
        "writable",
    ),
)
HTTP = PrivateNames(
    "api/edge/http.py",
    http_protocol,
    (
        "connection_lost",
        "connection_made",
        "cycle",
        "data_received",
        "flow",
        "handle_websocket_upgrade",
        "headers",
        "loop",
        "on_header",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
        "on_response_complete",
        "on_url",
        "pipeline",
        "send_400_response",
        "timeout_keep_alive_handler",
        "transport",
    ),
)
CONNECTION = PrivateNames("goldx/streams/connection.py", Connection, ("_parser", "_reader", "_writer"))

PRIVATE_NAMES = (
    LINK,
    HTTP,
    PrivateNames("api/sessions/link.py", ServerProtocol, ("current_size",)),
    PrivateNames(
        "api/app.py",
        lambda: uvicorn.Server(uvicorn.Config(FastAPI())),
        ("capture_signals", "should_exit", "started", "startup"),
    ),
    PrivateNames("api/app.py", lambda: uvicorn.Server.startup, ("servers",)),
    CONNECTION,
    PrivateNames("goldx/streams/connection.py", Connection, ("connect", "disconnect", "socket_timeout")),
    PrivateNames("goldx/streams/connection.py", lambda: Connection()._parser, ("parse_error",)),
    PrivateNames("goldx/streams/connection.py", ConnectionPool, ("make_connection",)),
    PrivateNames("goldx/streams/redis_client.py", ConnectionPool, ("connection_class",)),
    PrivateNames("goldx/streams/redis_client.py", Connection, ("is_connected", "send_packed_command")),
    PrivateNames("goldx/streams/redis_client.py", Redis, ("auto_close_connection_pool",)),
    PrivateNames("goldx/streams/sentinel.py", sentinel_pool, ("disconnect", "sentinel_manager")),
)


def names_of(found: Any) -> set[str]:
    """Attributes of an object, and those that its methods set."""
    functions = [found] if inspect.isfunction(found) else inspect.getmembers_static(type(found), inspect.isfunction)
    codes = [function.__code__ for function in (item[1] if isinstance(item, tuple) else item for item in functions)]
    return {*dir(found), *(name for code in codes for name in code.co_names)}


@pytest.mark.parametrize("private", PRIVATE_NAMES, ids=lambda private: f"{private.where}-{private.names[0]}")
async def test_every_private_name_exists_in_the_installed_version(private: PrivateNames) -> None:
    missing = set(private.names) - names_of(private.make())
    assert not missing, f"{private.where} uses names that the installed version does not have"


def imported_modules(file: Path) -> Iterator[str]:
    for node in nodes_of(file):
        if isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_other_private_module_is_imported() -> None:
    found = {
        module: name_of(file)
        for file in files(*PRODUCT)
        for module in imported_modules(file)
        if module.partition(".")[0] in ("uvicorn", "redis", "hiredis", "websockets")
    }
    assert {module: where for module, where in found.items() if module not in DOCUMENTED_MODULES} == PRIVATE_MODULES
    for module in PRIVATE_MODULES:
        import_module(module)


def is_own(node: ast.expr) -> bool:
    """Whether an expression is ``self`` or ``super()``."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id == "self"


NAMES_OF_PYTHON = {"_asdict", "_exit", "_fields", "_mapping", "_replace"}
"""Documented names with an underscore: of named tuples, ``os`` and SQLAlchemy's rows."""


def test_no_other_private_attribute_is_used() -> None:
    """An attribute with an underscore of anything but ``self`` belongs to somebody else."""
    found = {
        (name_of(file), node.attr)
        for file in files(*PRODUCT)
        for node in nodes_of(file)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not is_own(node.value)
        and not (isinstance(node.value, ast.Name) and node.value.id == "cls")
    }
    others = {(where, name) for where, name in found if name not in NAMES_OF_PYTHON}
    assert others == {(CONNECTION.where, name) for name in CONNECTION.names}


@pytest.mark.parametrize(("private", "name"), [(LINK, "Link"), (HTTP, "LimitedHttp")])
async def test_a_protocol_class_uses_no_other_name_of_its_base_class(private: PrivateNames, name: str) -> None:
    tree = ast.parse((ROOT / private.where).read_text())
    (link,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    used = {node.attr for node in ast.walk(link) if isinstance(node, ast.Attribute) and is_own(node.value)}
    used |= {node.value for node in ast.walk(link) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    used |= {node.name for node in link.body if isinstance(node, ast.FunctionDef)}
    inherited = {found for found in names_of(private.make()) if not found.startswith("__")}
    assert used & inherited == set(private.names)
