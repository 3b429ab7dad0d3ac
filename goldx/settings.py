"""Settings: from the environment (``GOLDX_...``) over one TOML file over the defaults below.

The file is ``goldx.toml`` in the working directory, or the one that ``GOLDX_CONFIG`` names. A wrong value is refused at
start with its name, what it was and what is allowed.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GOLDX_", frozen=True, extra="forbid")

    data_dir: Path = Field(default=Path("goldx-data"), description="Where embedded servers, keys and run files live.")
    redis_url: str | None = Field(default=None, description="Redis or Valkey; none: the embedded one of data_dir.")
    database_url: str | None = Field(default=None, description="postgresql+asyncpg://...; none: the embedded one.")
    shard: str = Field(default="0", pattern=r"[A-Za-z0-9]{1,16}")
    gateway_id: str = Field(default="gateway-1", pattern=r"[A-Za-z0-9-]{1,32}")
    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8600, ge=0, le=65535)
    console_host: str = "127.0.0.1"
    console_port: int = Field(default=8601, ge=0, le=65535)
    lease_ms: int = Field(default=1_500, ge=200, le=60_000, description="How long a leader leads without renewing.")
    snapshot_every: int = Field(default=100_000, ge=1, description="Commands between two snapshots.")
