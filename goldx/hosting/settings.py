"""Settings: from the environment (``GOLDX_...``) over one TOML file over the defaults below.

The file is ``goldx.toml`` in the working directory, or the one that ``GOLDX_CONFIG`` names; its keys are the names
below. Wrong and unknown values are refused at the start, all at once, each with its name, its value and what is
allowed.
"""

import os
import re
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from goldx.hosting.errors import BadSettings

PREFIX = "GOLDX_"
OTHER_VARIABLES = frozenset({"GOLDX_CONFIG", "GOLDX_CLERK", "GOLDX_CORE"})
"""Environment variables that are not settings: the configuration file, the clerk who acts, the core's build."""
REDIS_URL = r"(redis|rediss|unix|redis\+sentinel)://\S+"
DATABASE_URL = r"postgresql\+asyncpg://\S+"
HTTP_URL = r"https?://[^\s/]+(:\d+)?"
PAGE_URL = r"https?://\S+"
HOST = r"[A-Za-z0-9.:_-]{1,253}"
PROXIES = r"[0-9A-Fa-f.:/,]{2,400}"


class Settings(BaseSettings):
    """All settings of an exchange. Making them from wrong values raises BadSettings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    data_dir: Path = Field(
        default=Path("goldx-data"), description="Folder of the embedded servers, the run files and the logs."
    )
    redis_url: str | None = Field(
        default=None,
        pattern=f"^{REDIS_URL}$",
        description="Redis 7.0 or newer, or Valkey, or its Sentinels; unset: the embedded one of `data_dir`.",
        examples=["redis://host:6379/0 or redis+sentinel://host:26379,host:26379/service?db=0"],
    )
    database_url: str | None = Field(
        default=None,
        pattern=f"^{DATABASE_URL}$",
        description="PostgreSQL 15 or newer; unset: the embedded one of `data_dir`.",
        examples=["postgresql+asyncpg://user:password@host:5432/goldx"],
    )
    database_owner_url: str | None = Field(
        default=None,
        pattern=f"^{DATABASE_URL}$",
        description="URL of the database's owner, for `goldx settlement --migrate`; default: `database_url`.",
        examples=["postgresql+asyncpg://owner:password@host:5432/goldx"],
    )
    redis_memory_mb: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Memory at which the embedded Valkey refuses to write; 0: 60 % of the machine's or container's.",
    )
    shard: str = Field(
        default="0", pattern=r"^[A-Za-z0-9]{1,16}$", description="Name of the shard, part of every Redis key."
    )
    gateway_id: str = Field(
        default="gateway-1",
        pattern=r"^[A-Za-z0-9-]{1,32}$",
        description="Name of this gateway; two gateways of a shard need two names.",
    )
    gateway_host: str = Field(default="127.0.0.1", pattern=f"^{HOST}$", description="Where the gateway listens.")
    gateway_port: int = Field(default=8600, ge=0, le=65535, description="Its port; 0: any free one.")
    session_rate: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Units per second for the requests of one session; cancels have as many more.",
    )
    session_burst: int = Field(
        default=20_000, ge=1, le=1_000_000, description="Units that the requests of one session may use at once."
    )
    session_idle_seconds: int = Field(
        default=60, ge=1, le=3_600, description="Seconds of silence after which a logged-on session is closed."
    )
    session_queue_kb: int = Field(
        default=4_096, ge=64, le=1_048_576, description="KiB that a session may leave unread before it is cut off."
    )
    anonymous_rate: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Units per second of one address without a key, over all its connections.",
    )
    anonymous_burst: int = Field(
        default=1_000, ge=1, le=1_000_000, description="Units that one address without a key may use at once."
    )
    connections: int = Field(
        default=4_000,
        ge=1,
        le=1_000_000,
        description="Connections of a gateway (and of the console) at the same time, if the system allows as many.",
    )
    connections_per_address: int = Field(
        default=256, ge=1, le=1_000_000, description="Connections from one address at the same time."
    )
    staff_process: bool = Field(
        default=True, description="Whether requests of staff are answered by a process of their own beside the gateway."
    )
    staff_patience_seconds: int = Field(
        default=20,
        ge=1,
        le=170,
        description="Seconds without answer or computing after which the process for staff is ended; the next request "
        "starts another.",
    )
    trusted_proxies: str | None = Field(
        default=None,
        pattern=f"^{PROXIES}$",
        description="Addresses of proxies, with commas between. Their `X-Forwarded-For` is trusted, and their "
        "connections are not limited by `connections_per_address`.",
    )
    gateway_url: str | None = Field(
        default=None,
        pattern=f"^{HTTP_URL}$",
        description="Where the console finds a gateway; unset: the one that `goldx serve` started.",
        examples=["http://host:8600"],
    )
    console_host: str = Field(default="127.0.0.1", pattern=f"^{HOST}$", description="Where the console listens.")
    console_port: int = Field(default=8601, ge=0, le=65535, description="Its port; 0: any free one.")
    lease_ms: int = Field(
        default=1_500,
        ge=200,
        le=60_000,
        description="Milliseconds for which an engine leads without renewing its lease.",
    )
    snapshot_every: int = Field(default=100_000, ge=1, le=10**9, description="Commands between two snapshots.")
    view_snapshot_every: int = Field(
        default=250_000,
        ge=1,
        le=10**9,
        description="Events between two snapshots of a gateway's view, in `data_dir`.",
    )
    digest_every: int = Field(
        default=20_000,
        ge=1,
        le=10**9,
        description="Commands between two digests of the state.",
    )
    standby: bool = Field(
        default=False, description="Whether `goldx serve` starts a second engine, which stands by for the first."
    )
    keep_apart: bool = Field(
        default=True,
        description="Whether `goldx serve`, on a machine with two or three processors, keeps the gateway on the first, "
        "and Valkey and the engines on the others.",
    )
    clock_offset_limit_ms: int = Field(
        default=10_000,
        ge=0,
        le=86_400_000,
        description="How far the clock of the journal's server, which dates every command, may be from that of the "
        "machine that sends it; beyond it nothing is appended. 0: any distance.",
    )
    disk_reserve_mb: int = Field(
        default=64,
        ge=0,
        le=1_000_000,
        description="Free MB on the journal's disk below which new orders are refused, if a gateway can see the disk.",
    )
    allow_weak_durability: bool = Field(
        default=False,
        description="Whether to start on a server that may acknowledge an order before it is on the disk.",
    )
    archive_dir: Path | None = Field(
        default=None,
        description="Folder of the shard's archive, read by every service; unset: nothing is archived or trimmed.",
    )
    archive_every_seconds: int = Field(
        default=600, ge=1, le=86_400, description="Seconds between two passes of the archiver."
    )
    archive_after_hours: int = Field(
        default=168, ge=0, le=1_000_000, description="Hours for which archived entries stay on the server as well."
    )
    calendar_file: Path | None = Field(
        default=None,
        description=(
            "The trading calendar, from which working days come too; unset: working days are entered by hand, and two "
            "people name each trading day."
        ),
    )
    timetable_file: Path | None = Field(
        default=None,
        description="The compiled timetable (`goldx timetable compile`), which `goldx serve` then follows.",
    )
    record_dir: Path | None = Field(
        default=None,
        description=(
            "Folder in which settlement archives the signed records of days, in a folder of the shard's name; unset: "
            "`records` in `data_dir`."
        ),
    )
    timestamp_url: str | None = Field(
        default=None,
        pattern=f"^{PAGE_URL}$",
        description="A time stamping service (RFC 3161), which then stamps the record of each signed day.",
        examples=["https://host/timestamp"],
    )
    timestamp_roots: Path | None = Field(
        default=None,
        description="PEM file of the certificates that are trusted in time stamps; needed with `timestamp_url`.",
    )
    require_replicas: int = Field(
        default=0,
        ge=0,
        le=9,
        description="Replicas that must have an order on their disks before it is acknowledged.",
    )
    log_file_mb: int = Field(
        default=50, ge=1, le=10_000, description="Size at which `goldx serve` starts a new log file; one old one stays."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _proxy_addresses(cls, value: str | None) -> str | None:
        for text in (value or "").split(","):
            if text:
                ip_network(text, strict=False)
        return value

    @field_validator("redis_url")
    @classmethod
    def _sentinel_url(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("redis+sentinel:"):
            # Redis' client takes longer to load than most commands of a clerk take.
            from goldx.streams import sentinel

            sentinel.parse(value)
        return value

    def __init__(self, **values: Any) -> None:
        problems = _unknown_variables()
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems += [_problem(dict(detail)) for detail in error.errors()]
        except tomllib.TOMLDecodeError as error:
            problems.append(f"{config_file()} is not TOML: {error}")
        if problems:
            raise BadSettings(problems)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in the order of their precedence: arguments, environment, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())


def config_file() -> Path:
    """Return the path of the TOML file; one that GOLDX_CONFIG names must exist. Raises BadSettings."""
    named = os.environ.get("GOLDX_CONFIG")
    if not named:
        return Path("goldx.toml")
    if not Path(named).is_file():
        raise BadSettings([f"GOLDX_CONFIG: {named!r} is not allowed; it must be the path of a TOML file"])
    return Path(named)


def allowed(name: str) -> str:
    """Return in words the values that a setting may have."""
    field = Settings.model_fields[name]
    if field.examples:
        return f"a URL such as {field.examples[0]}"
    limits = _limits(field)
    if "pattern" in limits:
        return f"text of the form {limits['pattern'].strip('^$')}"
    if "ge" in limits:
        return f"a whole number from {limits['ge']} to {limits['le']}"
    if field.annotation is bool:
        return "true or false"
    return "a path"


def masked(name: str, value: object) -> str:
    """Return a value as text for people, with the password in a URL masked."""
    text = "" if value is None else str(value)
    return re.sub(r":[^/].*@|(?<=password=)[^&]*", _mask, text) if name.endswith("_url") else text


def _mask(found: re.Match[str]) -> str:
    return ":***@" if found[0].startswith(":") else "***"


def _limits(field: FieldInfo) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in field.metadata:
        for limit in ("ge", "le", "pattern"):
            if (value := getattr(item, limit, None)) is not None:
                found[limit] = value
    return found


def _unknown_variables() -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    return [f"{name}: no such setting" for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known]


def _problem(detail: dict[str, Any]) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else "settings"
    if detail["type"] == "extra_forbidden":
        return f"{name}: no such setting; there are " + ", ".join(Settings.model_fields)
    where = PREFIX + name.upper() if os.environ.get(PREFIX + name.upper()) else name
    return f"{where}: {masked(name, detail['input'])!r} is not allowed; it must be {allowed(name)}"
