"""A time stamping service as a process of its own: HTTP in front of ``openssl ts``, with certificates made for a test.

``python -m tests.settlement.closing.time_stamp_service FOLDER`` prints its port and answers until it is killed.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """
[tsa]
default_tsa = service
[service]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = yes
"""
ROOT, CERTIFICATE, KEY = "root.pem", "service.pem", "service.key"


def make_certificates(folder: Path) -> Path:
    """Make a root and the certificate and key of a service that it trusts; return the root's file."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("Test root", "Test time stamps")
    )
    root = _builder(root_name, root_name, root_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    service = _builder(name, root_name, key).add_extension(usage, critical=True)
    (folder / ROOT).write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / CERTIFICATE).write_bytes(service.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / KEY).write_bytes(key.private_bytes(*private))
    (folder / "serial").write_text("01\n")
    (folder / "config").write_text(CONFIG.format(folder=folder))
    return folder / ROOT


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=9)
    )


def reply(folder: Path, query: bytes) -> bytes:
    """Return the answer of ``openssl ts`` to a request."""
    with tempfile.TemporaryDirectory() as temporary:
        asked, answered = Path(temporary) / "query", Path(temporary) / "answer"
        asked.write_bytes(query)
        signer = ("-signer", str(folder / CERTIFICATE), "-inkey", str(folder / KEY), "-chain", str(folder / ROOT))
        command = ("openssl", "ts", "-reply", "-config", str(folder / "config"), "-queryfile", str(asked), *signer)
        subprocess.run([*command, "-out", str(answered)], check=True, capture_output=True)
        return answered.read_bytes()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[str]:
    """Run the service with the certificates of a folder and yield its URL. Skips without ``openssl``."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to answer requests for time stamps")
    command = (sys.executable, "-m", __name__, str(folder))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await asyncio.wait_for(process.stdout.readline(), 60))}/stamp"
    finally:
        process.kill()
        await process.wait()


def serve(folder: Path) -> None:
    """Answer requests until killed."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            answer = reply(folder, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Print nothing: standard output is the port's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
