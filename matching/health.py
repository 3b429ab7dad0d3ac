"""Whether an engine leads the shard."""

from goldx.health import Unhealthy
from goldx.settings import Settings, resolve_redis_url
from goldx.streams import Keys, connect


async def engine(settings: Settings) -> str:
    """Healthy while some engine of the shard holds the lease: this one, or the one it stands by for."""
    redis = connect(resolve_redis_url(settings))
    try:
        epoch = await redis.get(Keys(settings.shard).leader)
    finally:
        await redis.aclose()
    if epoch is None:
        raise Unhealthy(f"no engine leads shard {settings.shard}")
    return f"shard {settings.shard} is led under epoch {int(epoch)}"
