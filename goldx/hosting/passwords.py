"""Passwords of the embedded servers: made at the first start, each in a file of the data directory."""

import os
import secrets
from pathlib import Path


def password(data_dir: Path, name: str) -> str:
    """Return the password of a server; a new one is made where there is none."""
    file = data_dir / "secrets" / name
    try:
        return file.read_text()
    except FileNotFoundError:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The file gets its name only when complete, so that a start killed here leaves no half of a password.
    partial = file.with_suffix(".partial")
    write_private(partial, secrets.token_urlsafe(32))
    partial.replace(file)
    return file.read_text()


def write_private(file: Path, content: str) -> None:
    """Write a file that only its owner can read, from the moment of its creation."""
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(content)


def kept_password(data_dir: Path, name: str) -> str | None:
    """Return the password of a server, or None if it has none."""
    try:
        return (data_dir / "secrets" / name).read_text()
    except FileNotFoundError:
        return None


def with_password(url: str, secret: str) -> str:
    """Return the URL of a server on a unix socket with its password."""
    scheme, _, path = url.partition("://")
    return f"{scheme}://:{secret}@{path}"


def without_password(url: str) -> str:
    """Return the URL of a server without its password; an empty one stays empty."""
    scheme, mark, rest = url.partition("://")
    before, at, after = rest.rpartition("@")
    user = before.partition(":")[0]
    return f"{scheme}{mark}{user + at if user else ''}{after}"
