"""Time stamps of signed days by an outside service (RFC 3161): the proof that a record was there at a time.

The service signs the SHA-256 of the record with its own time, so that the venue itself cannot date a record back.
Optional: ``timestamp_url`` names the service, ``timestamp_roots`` the certificates that are trusted. A service that is
away keeps no day from opening; it is asked again.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from cryptography import x509
from rfc3161_client import (
    TimestampRequestBuilder,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.base import HashAlgorithm
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.hosting.errors import BadSettings
from goldx.hosting.settings import Settings
from settlement.base import audit
from settlement.base.steps import SERVICE
from settlement.closing.records import broken
from settlement.closing.stamp_order import sorted_certificates
from settlement.tables.closing import day_archive, day_record, day_stamp

PATIENCE_SECONDS: Final = 15.0
LARGEST_BYTES: Final = 100_000
MEDIA: Final = "application/timestamp-query"

Roots = tuple[x509.Certificate, ...]


class BadStamp(ValueError):
    """An answer that is no time stamp of these bytes by a service that is trusted."""


class Stamp(NamedTuple):
    """A time stamp of a day's record: when, by which service, and whether it was checked with trusted roots."""

    at: datetime
    service: str
    checked: bool


class Authority:
    """A time stamping service at ``url``, with the roots that are trusted."""

    def __init__(self, url: str, roots: Roots) -> None:
        self.url: Final = url
        self._roots = roots

    async def stamp(self, content: bytes) -> tuple[bytes, datetime]:
        """Return the service's answer about these bytes, checked, and its time. Raises BadStamp and httpx' errors."""
        request = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()
        headers, read = {"Content-Type": MEDIA}, bytearray()
        async with (
            httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
            http.stream("POST", self.url, content=request.as_bytes(), headers=headers) as response,
        ):
            response.raise_for_status()
            async for part in response.aiter_bytes():
                read += part
                if len(read) > LARGEST_BYTES:
                    raise BadStamp(f"the answer has more than {LARGEST_BYTES} bytes")
        answer = bytes(read)
        return answer, check(answer, content, self._roots, request.nonce)


def check(answer: bytes, content: bytes, roots: Roots, nonce: int | None = None) -> datetime:
    """Return the time of a service's answer about these bytes. Raises BadStamp.

    Certificates have to be valid at that time, not now.
    """
    try:
        found = decode_timestamp_response(sorted_certificates(answer))
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(found, content)
        return found.tst_info.gen_time
    except Exception as error:  # the libraries raise what they like about a stranger's bytes
        raise BadStamp(str(error) or repr(error)) from error


def _time_in(answer: bytes) -> datetime:
    """Return the time in an answer that is not checked. Raises BadStamp."""
    try:
        return decode_timestamp_response(sorted_certificates(answer)).tst_info.gen_time
    except Exception as error:  # as in ``check``
        raise BadStamp(str(error) or repr(error)) from error


def read_roots(file: Path | None) -> Roots:
    """Return the certificates of a PEM file, none without a file. Raises BadSettings."""
    if file is None:
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise BadSettings(
            [f"timestamp_roots: {str(file)!r} is not allowed ({error}); it must be a PEM file"]
        ) from error


def authority(settings: Settings) -> Authority | None:
    """Return the service of the settings, or None if there is none. Raises BadSettings."""
    if settings.timestamp_url is None:
        return None
    if settings.timestamp_roots is None:
        raise BadSettings(["timestamp_roots: not set; where timestamp_url is, it must be a PEM file of trusted roots"])
    return Authority(settings.timestamp_url, read_roots(settings.timestamp_roots))


async def waiting(connection: AsyncConnection) -> list[tuple[date, bytes]]:
    """Return the archived days without a time stamp with the contents of their records, oldest first."""
    query = select(day_record.c.day, day_record.c.content).join(day_archive, day_archive.c.day == day_record.c.day)
    query = query.outerjoin(day_stamp, day_stamp.c.day == day_record.c.day).where(day_stamp.c.day.is_(None))
    rows = await connection.execute(query.order_by(day_record.c.record_no))
    return [(row.day, row.content) for row in rows]


async def keep(connection: AsyncConnection, day: date, answer: bytes, at: datetime, service: str) -> None:
    """Keep a time stamp, unless another process of settlement has kept one of this day."""
    stamped_at = int(at.timestamp()) * 1_000
    kept = insert(day_stamp).values(day=day, answer=answer, stamped_at=stamped_at, service=service)
    if (await connection.execute(kept.on_conflict_do_nothing().returning(day_stamp.c.day))).first() is None:
        return
    detail = {"at": stamped_at, "service": service}
    await audit.record(connection, audit.Act(SERVICE, "day.stamp", f"day:{day.isoformat()}", detail))


async def verify(connection: AsyncConnection, day: date, roots: Roots) -> Stamp | None:
    """Check the time stamp of a day's record with trusted roots, if there are any; return None without a time stamp.

    Raises Refused (RECORD_BROKEN).
    """
    query = select(day_stamp, day_record.c.content).join(day_record, day_record.c.day == day_stamp.c.day)
    row = (await connection.execute(query.where(day_stamp.c.day == day))).first()
    if row is None:
        return None
    try:
        at = check(row.answer, row.content, roots) if roots else _time_in(row.answer)
    except ValueError as error:
        raise broken(day, f"its time stamp does not hold: {error}") from error
    return Stamp(at, row.service, bool(roots))
