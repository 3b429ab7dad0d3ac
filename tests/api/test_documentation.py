"""The documentation at ``/docs`` names every route, and loads nothing from another host."""

import json
import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import documentation
from api.app import GatewayServer, create_app
from api.edge.admission import STAFF_PATHS
from tests.http_client import http_client


class Loads(HTMLParser):
    """Collects what a browser loads for a page, and the targets of its links."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.add(str(value))
            elif name in ("src", "href", "srcset", "data", "action", "poster"):
                (self.links if tag == "a" else self.loaded).append(str(value))


async def test_the_documentation_loads_nothing(gateway: GatewayServer) -> None:
    async with http_client(gateway.url, timeout=60) as http:
        answer = await http.get("/docs")
        schema = (await http.get("/openapi.json")).json()
        assert (await http.get("/redoc")).status_code == 404
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = Loads()
    page.feed(answer.text)
    assert page.loaded == []
    assert "<script" not in answer.text
    assert not re.search(r"url\(|@import", answer.text)
    hosts = {urlsplit(link).netloc for link in page.links}
    assert hosts == {""}
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    for path, operations in schema["paths"].items():
        assert path.replace("&", "&amp;") in answer.text
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                assert parameter["name"] in answer.text


def test_the_document_has_every_record_that_it_refers_to() -> None:
    document = create_app().openapi()
    text = json.dumps(document)
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert "Problem" in referred
    assert referred <= set(document["components"]["schemas"])
    refusal = document["paths"]["/v1/book/{symbol}"]["get"]["responses"]["404"]
    assert list(refusal["content"]) == ["application/problem+json"]


def test_the_routes_are_built_once_for_all_applications() -> None:
    """A session waits for whatever a gateway builds in its first request."""
    first, second = ([route for route in create_app().routes if isinstance(route, APIRoute)] for _ in range(2))
    built = [route for route in first if any(route is other for other in second)]
    assert len(built) > 200
    assert {route.path for route in first if route not in built} == {"/docs"}


def test_a_gateway_and_the_process_beside_it_have_all_routes_between_them() -> None:
    whole, gateway = ({getattr(r, "path", "") for r in create_app(staff=staff).routes} for staff in (True, False))
    assert {path for path in whole if not path.startswith(STAFF_PATHS)} == gateway - {"/openapi.json"}
    assert len(whole - gateway) > 200


def test_what_stands_in_a_route_is_text() -> None:
    app = FastAPI(title="<script>alert(1)</script>", docs_url=None, redoc_url=None)

    @app.get("/x", tags=["<b>"])
    def route(value: str = "<i>") -> dict[str, str]:
        """Return `a<b`."""
        return {"value": value}

    page = documentation.write(app.openapi())
    assert "<script" not in page
    assert "<i>" not in page
    assert "<b>" not in page
    assert "<code>a&lt;b</code>" in page


@pytest.mark.parametrize("admission", [True, False])
def test_no_application_has_the_pages_that_load_from_other_hosts(admission: bool) -> None:
    app = create_app(admission=admission)
    assert app.redoc_url is None
    assert app.docs_url is None
