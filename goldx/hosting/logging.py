"""Logs as JSON, one object a line, on standard error: structlog's, and those of libraries that use ``logging``."""

import logging
import re
import sys
from typing import Any, Final

import structlog

_SECRETS: Final = (
    (re.compile(r"(://[^\s:/@]*):\S+@"), r"\1:***@"),
    (re.compile(r"(password=)[^&\s'\"]+"), r"\1***"),
    # The forms in which PostgreSQL and its client report the values of a row or a parameter.
    (re.compile(r"(DETAIL:\s+|query argument \$\d+: ).*"), r"\1***"),
)
"""Patterns of passwords and SQL values in texts of errors, and their replacements."""


def without_secrets(text: str) -> str:
    """Return a text in which passwords of URLs and values of SQL are replaced by ``***``."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _mask_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {name: without_secrets(value) if isinstance(value, str) else value for name, value in event.items()}


def configure(service: str, level: int = logging.INFO) -> None:
    """Write every line from now on as JSON with ``at`` (UTC), ``level``, ``service`` and ``event``."""

    def name_service(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"service": service, **event}

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        name_service,
        structlog.processors.format_exc_info,
        _mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "nicegui"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("uvicorn.access", "fontTools"):
        logging.getLogger(name).setLevel(logging.WARNING)
