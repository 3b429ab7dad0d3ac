"""A bank that others have written (``mock-bank``), as the counterpart of the payment files and statements here.

It speaks ISO 20022 over HTTP, checks what it gets against its own dictionary of the messages, moves its clock when it
is asked to, and fails on demand. Its example files are in euro; its accounts here are in CNY.
"""

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import httpx
from mockbank.server import Config, make_server

from settlement.base.working_days import today

FRIDAY: Final = 4
VENUE: Final = "NL91ABNA0417164300"
PAYEE: Final = "NL02ABNA0123456789"


class OutsideBank:
    """The bank over its HTTP; ``VENUE`` is an account with a balance, ``PAYEE`` one of a member."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        for name, iban, balance in (("VENUE", VENUE, 100_000), ("PAYEE", PAYEE, 0)):
            account = {"id": name, "name": name, "iban": iban, "bic": "ABNANL2A", "currency": "CNY", "balance": balance}
            self._call("POST", "/_mock/accounts", json=account)

    def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self._http.request(method, path, **more)
        assert answer.status_code < 500, answer.text
        return answer

    def pay(self, content: bytes) -> tuple[int, list[bytes]]:
        """Send a payment file; return the HTTP status and the pain.002 that came back, if any did."""
        status = self._call("POST", "/payments", content=content, headers={"Content-Type": "application/xml"})
        return status.status_code, self.mail("pain.002")

    def problems(self, content: bytes) -> str:
        """Return the findings of the bank's check of a payment file."""
        return self._call("POST", "/_mock/validate", content=content).text

    def behave(self, account: str, behaviour: str, **parameters: Any) -> None:
        """Let an account fail in one of the bank's ways."""
        body = {"behaviour": behaviour, **({"parameters": parameters} if parameters else {})}
        assert self._call("PATCH", f"/_mock/accounts/{account}", json=body).status_code == 200

    def advance(self, days: int) -> None:
        """Move the bank's clock."""
        assert self._call("POST", f"/_mock/advance?days={days}").status_code == 200

    def mail(self, kind: str) -> list[bytes]:
        """Return the messages of a kind that the bank has sent since, oldest first."""
        rows = self._call("GET", f"/_mock/mailbox?type={kind}").json()
        return [row["body"].encode() for row in rows if row["account"] == "VENUE"]

    def report(self) -> bytes:
        """Return the camt.052 of the venue's account as of now."""
        self._call("POST", "/_mock/accounts/VENUE/report")
        return self.mail("camt.052")[-1]


@contextlib.contextmanager
def running() -> Iterator[OutsideBank]:
    """Run the bank in a thread of its own; its clock stands at nine, today or else on Monday."""
    day = today()
    day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > FRIDAY else 0)
    server = make_server(Config(port=0, quiet=True, clock=f"{day}T09:00"))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}", trust_env=False, timeout=60) as http:
            yield OutsideBank(http)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
