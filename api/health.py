"""Whether a gateway and the console answer on their ports."""

from goldx.hosting.health import answers
from goldx.hosting.settings import Settings


async def gateway(settings: Settings) -> str:
    """Healthy when the gateway beside this says so: it sees the journal and follows the events."""
    return await answers(f"http://127.0.0.1:{settings.gateway_port}/health")


async def console(settings: Settings) -> str:
    """Healthy when the page is served."""
    return await answers(f"http://127.0.0.1:{settings.console_port}/")
