"""Health checks of the gateway and of the console of this machine, over their ports."""

from goldx.hosting.health import check_url
from goldx.hosting.running import resolve_own_url
from goldx.hosting.settings import Settings


async def gateway(settings: Settings) -> str:
    """Check that the gateway follows the market, takes orders, and that they are matched."""
    return await check_url(f"{resolve_own_url(settings, 'gateway')}/health")


async def console(settings: Settings) -> str:
    """Check that the console shows the present market."""
    return await check_url(f"{resolve_own_url(settings, 'console')}/health")
