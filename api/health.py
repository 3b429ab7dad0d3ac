"""Health checks of the gateway and of the console, over their ports."""

from goldx.hosting.health import check_url
from goldx.hosting.settings import Settings


async def gateway(settings: Settings) -> str:
    """Check that the gateway on this machine takes commands and follows the events."""
    return await check_url(f"http://127.0.0.1:{settings.gateway_port}/health")


async def console(settings: Settings) -> str:
    """Check that the console on this machine serves its page."""
    return await check_url(f"http://127.0.0.1:{settings.console_port}/")
