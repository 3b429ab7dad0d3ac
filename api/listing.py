"""Listings over REST: a request for one page, and the answer that holds it."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Query

from settlement.base.paging import LONGEST, Page, PageRequest


def page_dependency(default_limit: int) -> Callable[..., PageRequest]:
    """Return a dependency that reads the parameters ``after`` and ``limit`` of a listing."""

    def page(
        after: Annotated[str | None, Query(description="`next` of the page before; default: the first page")] = None,
        limit: Annotated[int, Query(ge=1, le=LONGEST, description="Rows of a page")] = default_limit,
    ) -> PageRequest:
        return PageRequest(after, limit)

    return page


ThePage = Annotated[PageRequest, Depends(page_dependency(LONGEST))]
"""The page of a listing that a request asks for."""


def listed(name: str, projection: Callable[[Any], dict[str, Any]], page: Page[Any], **more: Any) -> dict[str, Any]:
    """Return the answer of a listing: its rows under ``name``, and ``next``, null on the last page."""
    return {name: [projection(row) for row in page], "next": page.next, **more}
