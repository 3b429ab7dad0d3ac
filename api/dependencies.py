"""What every REST route may ask for: the gateway that serves it, and who sent the request."""

from typing import Annotated

from fastapi import Depends, Request

from api.gateway import Gateway
from settlement.base.registry import Principal


def gateway_of(request: Request) -> Gateway:
    """The gateway that serves this application."""
    gateway: Gateway = request.app.state.gateway
    return gateway


async def principal_of(request: Request) -> Principal:
    """Who sent the request, by its bearer token. Raises NotAuthentic."""
    return await gateway_of(request).doorman.bearer(request.headers.get("authorization"))


TheGateway = Annotated[Gateway, Depends(gateway_of)]
ThePrincipal = Annotated[Principal, Depends(principal_of)]
