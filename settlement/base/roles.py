"""The database's roles: the owner, which migrates the tables, and a role with fewer rights for the services.

The owner of a table can disable its triggers, and a superuser those of every table; then nothing would be append-only.
The services' role is neither.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.database import connect

_ITERATIONS: Final = 4_096
"""PostgreSQL's own default (scram_iterations)."""
_RIGHTS: Final = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    "REVOKE INSERT, UPDATE, DELETE ON alembic_version, row_change, row_act FROM {role}",
)


async def admit(owner_url: str, url: str) -> None:
    """Grant the role of ``url`` the use of all tables, creating it with its password if it does not exist.

    Raises BadValue for a role that is a superuser or owns tables.
    """
    wanted = make_url(url)
    engine = connect(owner_url)
    try:
        async with engine.begin() as connection:
            await _require_lesser(connection, wanted)
            role = connection.dialect.identifier_preparer.quote(str(wanted.username))
            if not await _exists(connection, str(wanted.username)):
                await connection.exec_driver_sql(_creation(role, wanted))
            for statement in _RIGHTS:
                await connection.execute(text(statement.format(role=role)))
    finally:
        await engine.dispose()


async def _exists(connection: AsyncConnection, name: str) -> bool:
    found = await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
    return found is not None


async def _require_lesser(connection: AsyncConnection, wanted: URL) -> None:
    found = await connection.scalar(
        text(
            "SELECT rolsuper OR EXISTS (SELECT 1 FROM pg_class WHERE relowner = pg_roles.oid AND relkind = 'r') "
            "FROM pg_roles WHERE rolname = :name"
        ),
        {"name": wanted.username},
    )
    if found or not wanted.username:
        allowed = "the URL of a role that is no superuser and owns no table; it is made if it does not exist"
        raise BadValue("database_url", wanted.render_as_string(), allowed)


def _creation(role: str, wanted: URL) -> str:
    if not wanted.password:
        return f"CREATE ROLE {role} LOGIN"
    # A verifier instead of the password, as the statement may get into the server's log.
    return f"CREATE ROLE {role} LOGIN PASSWORD '{_verifier(str(wanted.password))}'"


def _verifier(password: str) -> str:
    """Return the verifier that PostgreSQL stores for a password (SCRAM-SHA-256, RFC 5802)."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))]
    return f"SCRAM-SHA-256${_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"
