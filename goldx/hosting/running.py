"""The exchange that ``goldx serve`` runs on a data directory, as other commands on the same machine find it."""

import fcntl
import json
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from goldx.hosting.errors import NotRunning
from goldx.hosting.passwords import kept_password, with_password
from goldx.hosting.settings import PREFIX, Settings

LOCAL_ADDRESSES: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The local address at which to ask a service that listens on all addresses of the machine."""


def run_folder(settings: Settings) -> Path:
    """Return the folder where ``goldx serve`` keeps its lock and the URLs of its services."""
    return settings.data_dir.absolute() / "run"


def resolve_redis_url(settings: Settings) -> str:
    """Return the URL of Redis: the setting, else that of the running exchange. Raises NotRunning."""
    if settings.redis_url:
        return settings.redis_url
    url, secret = _url_of_running(settings, "redis_url"), kept_password(settings.data_dir, "valkey")
    return with_password(url, secret) if secret else url


def resolve_database_url(settings: Settings) -> str:
    """Return the URL of PostgreSQL: the setting, else that of the running exchange. Raises NotRunning."""
    return settings.database_url or _url_of_running(settings, "database_url")


def resolve_gateway_url(settings: Settings) -> str:
    """Return the ``http://`` URL of a gateway: the setting, else that of the running exchange. Raises NotRunning."""
    return settings.gateway_url or _url_of_running(settings, "gateway_url")


def resolve_own_url(settings: Settings, service: str) -> str:
    """Return the URL at which the ``gateway`` or ``console`` of this machine answers, as its settings have it.

    A port of 0 is one that the system has chosen: the running exchange knows it. A service that listens on every
    address of the machine is asked at the local one. Raises NotRunning.
    """
    host, port = getattr(settings, f"{service}_host"), getattr(settings, f"{service}_port")
    if not port:
        port = urlsplit(_url_of_running(settings, f"{service}_url")).port
    host = LOCAL_ADDRESSES.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _url_of_running(settings: Settings, name: str) -> str:
    folder = run_folder(settings)
    advice = f"set {PREFIX}{name.upper()}, or start `goldx serve` on the data directory {settings.data_dir}"
    try:
        with (folder / "serve.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    except OSError as error:
        raise NotRunning(f"{name} is not known: {advice}") from error
    else:
        raise NotRunning(f"{name} is not known, and no exchange runs on {settings.data_dir}: {advice}")
    try:
        value = json.loads((folder / "services.json").read_text())[name]
    except (OSError, KeyError):
        raise NotRunning(f"{name} is not known yet: the exchange on {settings.data_dir} is still starting") from None
    if value is None:
        set_here = f"set {PREFIX}{name.upper()} here too"
        raise NotRunning(f"{name} of the exchange on {settings.data_dir} is only in its own settings: {set_here}")
    return str(value)
