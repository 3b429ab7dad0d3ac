"""The listings of the member protocol: the page that a request asks for, and an answer that is written in parts.

A request has two parameters: ``limit``, the largest number of rows, and ``after``, the key of the row before the page.
An answer to a request with a ``limit`` has ``next``, the ``after`` of the page that follows, null on the last one.
Without a ``limit`` it has no ``next``, and all rows, however many there are, unless the method has another default.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from msgspec import Raw

from api.edge.params import check_whole, read_rows
from api.edge.rpc import Request, encode
from api.sessions.session import Session
from api.view.channels import PART_ROWS
from goldx.protocol.units import BadValue, parse_identifier

T = TypeVar("T")

LARGEST_ID: Final = (1 << 63) - 1
"""The largest number of an order, a deal or a request."""
PAGE_PARAMS: Final = ("limit", "after")
"""The parameters of every listing whose pages go forward."""
PASSED_OF_A_ROW: Final = 50
"""Passing over so many rows on the way to a page costs as much as writing one."""


def read_after_number(params: Mapping[str, Any]) -> int:
    """Return the number after which a page begins; 0 for the first page. Raises BadValue."""
    after = params.get("after")
    return 0 if after is None else check_whole("after", after, 0, LARGEST_ID)


def read_before(params: Mapping[str, Any]) -> int:
    """Return the number before which a page ends; LARGEST_ID for the newest page. Raises BadValue."""
    before = params.get("before")
    return LARGEST_ID if before is None else check_whole("before", before, 1, LARGEST_ID)


def read_after_name(params: Mapping[str, Any]) -> str:
    """Return the name after which a page begins; an empty text, which sorts first, for the first page.

    Raises BadValue.
    """
    after = params.get("after")
    return "" if after is None else parse_identifier(after, "after")


def rows_after(
    rows: Iterable[T], key: Callable[[T], int | str], after: int | str, *, gone: bool = False
) -> Iterator[T]:
    """Return the rows that come after the one with a key; all for 0 and for an empty text.

    For rows whose order is not that of their keys. If there is no such row, the result is empty where it may have
    ``gone`` with all that came after it; else BadValue is raised.
    """
    left = iter(rows)
    if after and not any(key(row) == after for row in left) and not gone:
        raise BadValue("after", after, "what an answer of this listing gave as its `next`")
    return left


def answer_page(
    session: Session,
    request: Request,
    rows: Iterable[T],
    key: Callable[[T], int | str],
    lists: Mapping[str, Callable[[T], Any]],
    *,
    cost: Callable[[T], int] | None = None,
    default: int | None = None,
    among: int = 0,
    searched: bool = False,
    by_key: bool = False,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Answer a request with its page of ``rows``, which are in the order of ``key`` and after the request's ``after``.

    ``lists`` gives the name of each list of the answer and the function that writes a row for it; None leaves the row
    out of that list. A row is written when its part of the answer is, so one that has ended by then can be left out.
    With ``by_key`` a list is an object that has each written row under its key. ``cost`` is what a row costs, in rows
    (None: one), and how much of a part it takes. ``among`` is how many rows there are where they can be many: the page
    is paid for before they are gone through, and ``searched`` says that rows are passed over on the way to it, which
    costs as well. ``default`` is the largest number of rows in an answer to a request without a ``limit``, None for
    all; ``more`` is what the answer has besides. Raises BadValue, and Refusal (RATE_LIMITED).
    """
    in_pages = request.params.get("limit") is not None
    limit = read_rows(request.params, "limit", 1) if in_pages else default
    search = among // PASSED_OF_A_ROW if searched else 0
    # First, so that a session whose units do not suffice cannot have the rows gone through again and again.
    paid = search + (among if limit is None else min(limit, among))
    session.charge(paid)
    # One more than the page, which shows whether another page follows.
    page = list(islice(rows, None if limit is None else limit + 1))
    following = {"next": key(page[limit - 1]) if limit and len(page) > limit else None} if in_pages else {}
    if limit is not None:
        del page[limit:]
    whole = len(page) if cost is None else sum(map(cost, page))
    session.correct_charge(paid, search + whole)
    left = deque(page)
    written: dict[str, list[bytes]] = {name: [] for name in lists}

    def write_part() -> bool:
        """Write the next rows, and answer once all are written; return whether there is more to do."""
        spent = 0
        while left and spent < PART_ROWS:
            row = left.popleft()
            spent += 1 if cost is None else cost(row)
            for name, write in lists.items():
                form = write(row)
                if form is not None:
                    written[name].append(encode(key(row)) + b":" + encode(form) if by_key else encode(form))
        if left:
            return not session.ended
        if not session.ended:
            opening, closing = (b"{", b"}") if by_key else (b"[", b"]")
            found = {name: Raw(opening + b",".join(parts) + closing) for name, parts in written.items()}
            request.succeed({**(more or {}), **found, **following})
        return False

    if whole <= PART_ROWS:
        write_part()
    else:
        session.work(write_part)
