"""The documentation of the REST routes at ``/docs``: one page, generated from the application's OpenAPI document.

The page loads no scripts, styles, fonts or images. So it works without the internet, and no other host learns of its
readers.
"""

import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api.edge.problems import Problem

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The page's Content-Security-Policy: whatever the page contains, browsers load nothing else."""
METHODS: Final = ("get", "post", "put", "patch", "delete")
_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { border-bottom: 1px solid #ccc; } h3 { margin-bottom: .2rem; font-family: monospace; font-size: 1rem; }
table { border-collapse: collapse; margin: .4rem 0 1rem; } td, th { border: 1px solid #ccc; padding: .15rem .5rem; }
th { text-align: left; background: #f3f0e6; } td { vertical-align: top; }
code { background: #f3f0e6; padding: 0 .2rem; }
.method { display: inline-block; min-width: 4rem; color: #8a6d00; }
"""


class DocumentedApp(FastAPI):
    """An application that adds the schema ``Problem`` to its OpenAPI document, because the routes refer to it."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        return document


def install(app: FastAPI) -> None:
    """Add the page to an application that already has all its other routes."""
    written: list[str] = []

    @app.get("/docs", include_in_schema=False)
    def documentation() -> HTMLResponse:
        if not written:
            written.append(write(app.openapi()))
        return HTMLResponse(written[0], headers={"Content-Security-Policy": POLICY})


def write(schema: dict[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    info = schema["info"]
    title = escape(f"{info['title']} {info['version']}")
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"]
    parts.append(f"<h1>{title}</h1>{_text(info.get('description', ''))}")
    parts.append('<p>For programs: <a href="openapi.json">openapi.json</a>. Records: <a href="#records">below</a>.')
    by_tag: dict[str, list[str]] = {}
    for path, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                tag = next(iter(operation.get("tags", ())), "other")
                by_tag.setdefault(tag, []).append("".join(_operation(method, path, operation)))
    for tag, written in by_tag.items():
        parts.append(f"<h2>{escape(tag)}</h2>{''.join(written)}")
    parts.append('<h2 id="records">Records</h2>')
    for name, record in schema.get("components", {}).get("schemas", {}).items():
        parts.append(f'<h3 id="{escape(name)}">{escape(name)}</h3>{_text(record.get("description", ""))}')
        parts.append(_fields(record))
    return "".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h3><span class=method>{method.upper()}</span> {escape(path)}</h3>"
    yield _text(operation.get("description") or operation.get("summary", ""))
    rows = [
        (
            parameter["name"],
            parameter["in"],
            _type(parameter["schema"]),
            _needed(parameter),
            parameter.get("description"),
        )
        for parameter in operation.get("parameters", ())
    ]
    if rows:
        yield _table(("parameter", "in", "type", "", "what it is"), rows)
    if body := operation.get("requestBody"):
        kinds = (f"{escape(kind)}: {_type(content['schema'])}" for kind, content in body["content"].items())
        yield f"<p>Body: {'; '.join(kinds)}</p>"
    answers = [(status, answer.get("description")) for status, answer in operation.get("responses", {}).items()]
    yield _table(("status", "what it means"), answers)


def _fields(record: dict[str, Any]) -> str:
    required = record.get("required", ())
    rows = [
        (name, _type(field), "required" if name in required else "", field.get("description"))
        for name, field in record.get("properties", {}).items()
    ]
    return _table(("field", "type", "", "what it is"), rows) if rows else ""


def _needed(parameter: dict[str, Any]) -> str:
    default = parameter["schema"].get("default")
    return "required" if parameter.get("required") else "" if default is None else f"default {default}"


class _Html(str):
    """Text that is HTML already."""


def _type(schema: dict[str, Any]) -> _Html:
    """Return a type in words, with links to the records in it."""
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return _Html(f'<a href="#{name}">{name}</a>')
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return _Html(" or ".join(_type(choice) for choice in schema[word]))
    if "enum" in schema:
        return _Html(" ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"]))
    if schema.get("type") == "array":
        return _Html("list of " + _type(schema.get("items", {})))
    bounds = [f"{word} {schema[word]}" for word in ("minimum", "maximum", "maxLength", "format") if word in schema]
    return _Html(escape(", ".join([schema.get("type", "any"), *bounds])))


def _table(heading: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heading)
    body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    return value if isinstance(value, _Html) else _inline(str(value or ""))


def _inline(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _text(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph)
