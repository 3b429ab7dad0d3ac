"""``goldx health gateway`` and ``goldx health console`` ask the service that listens where the settings say."""

import fcntl
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from goldx.cli import main
from goldx.hosting.running import resolve_own_url
from goldx.hosting.settings import Settings

BOTH = pytest.mark.parametrize("service", ["gateway", "console"])


class _Service(BaseHTTPRequestHandler):
    """Answers /health as the services do."""

    status, answer = 200, {"status": "ok"}

    def do_GET(self) -> None:
        body = json.dumps(self.answer).encode()
        self.send_response(self.status if self.path == "/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class _OverIPv6(HTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def listening(host: str, status: int = 200, detail: str = "") -> Iterator[int]:
    """Run such a service on a free port."""
    handler = type("Handler", (_Service,), {"status": status, "answer": {"detail": detail}})
    with (_OverIPv6 if ":" in host else HTTPServer)((host, 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@contextmanager
def running_exchange(folder: Path, services: dict[str, str]) -> Iterator[None]:
    """The run files of an exchange that runs on a data directory."""
    run = folder / "run"
    run.mkdir()
    (run / "services.json").write_text(json.dumps(services))
    with (run / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def check(service: str, environment: dict[str, str]) -> tuple[int, str]:
    found = CliRunner().invoke(main, ["health", service], env=environment)
    return found.exit_code, found.output.strip()


@BOTH
@pytest.mark.parametrize(("host", "asked"), [("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_a_service_is_asked_at_its_own_address(service: str, host: str, asked: str) -> None:
    with listening(host) as port:
        name = f"GOLDX_{service.upper()}"
        found = check(service, {f"{name}_HOST": host, f"{name}_PORT": str(port)})
    assert found == (0, f"http://{asked}:{port}/health answers")


@BOTH
def test_a_port_that_the_system_chose_is_found_through_the_running_exchange(service: str, tmp_path: Path) -> None:
    environment = {f"GOLDX_{service.upper()}_PORT": "0", "GOLDX_DATA_DIR": str(tmp_path)}
    code, words = check(service, environment)
    assert code == 1
    assert f"{service}_url is not known" in words
    with listening("0.0.0.0") as port, running_exchange(tmp_path, {f"{service}_url": f"http://0.0.0.0:{port}"}):
        assert check(service, environment) == (0, f"http://127.0.0.1:{port}/health answers")


def test_every_address_of_the_machine_is_asked_at_the_local_one() -> None:
    assert resolve_own_url(Settings(gateway_host="::", gateway_port=1), "gateway") == "http://[::1]:1"
    assert resolve_own_url(Settings(gateway_host="gold.example", gateway_port=2), "gateway") == "http://gold.example:2"


@BOTH
def test_a_service_that_is_not_healthy_says_why(service: str) -> None:
    with listening("127.0.0.1", 503, "no engine leads shard 0") as port:
        code, words = check(service, {f"GOLDX_{service.upper()}_PORT": str(port)})
    assert code == 1
    assert words.endswith(f"{service}: http://127.0.0.1:{port}/health answers 503: no engine leads shard 0")
