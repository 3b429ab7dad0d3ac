"""Dependencies of the REST routes: the gateway that serves them, and the principal of the request."""

from typing import Annotated

from fastapi import Depends, Request

from api.edge.admission import PRINCIPAL
from api.edge.auth import Principal
from api.gateway import Gateway


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that serves this application."""
    gateway: Gateway = request.app.state.gateway
    return gateway


async def principal_of(request: Request) -> Principal:
    """Return the principal of the request, by its bearer token. Raises NotAuthentic."""
    found: Principal | None = request.scope.get(PRINCIPAL)
    if found is not None:
        return found
    return await gateway_of(request).authenticator.bearer(request.headers.get("authorization"))


TheGateway = Annotated[Gateway, Depends(gateway_of)]
ThePrincipal = Annotated[Principal, Depends(principal_of)]
