"""pain.002 of ISO 20022, the bank's answer to a payment file: ``python -m settlement.banking.answers``.

The module reads one file on standard input within the limits of ``settlement.workbooks.reader`` and writes JSON: the
answers, or all errors.
"""

import sys
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

import msgspec

from settlement.banking import status_reports
from settlement.banking.camt import Element, bad, element_name, elements, first_text, root_of, text_of
from settlement.banking.statements import one_text
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile, RowError
from settlement.workbooks.reader import limit

ANSWERS: Final = {
    **dict.fromkeys(("RJCT", "CANC"), "REJECTED"),
    **dict.fromkeys(("ACSC", "ACCC"), "ACCEPTED"),
    **dict.fromkeys(("ACCP", "ACSP", "ACTC", "ACWC", "ACWP", "PDNG", "RCVD", "PATC", "ACFC", "BLCK"), "PENDING"),
}
"""By the bank's status of a payment: only a settled one is accepted, and only a rejected one will never be paid."""


DUPLICATES: Final = frozenset(("AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"))
"""Reasons of a rejection that is about a second copy alone: the bank has the payment from before, and may pay it."""
WHOLE: Final = (("OrgnlGrpInfAndSts", "OrgnlMsgId", "GrpSts"), ("OrgnlPmtInfAndSts", "OrgnlPmtInfId", "PmtInfSts"))
"""The elements that answer to all payments of a file at once, each with those of the file's number and its status."""


class PaymentAnswer(NamedTuple):
    """The bank's answer to one payment, by its end-to-end id; ``reason`` is the bank's status with its reason.

    Without an end-to-end id it answers to all payments of the file with the number ``message_id``. ``of_copy``:
    the bank has rejected a second copy alone, for one of the reasons in DUPLICATES.
    """

    end_to_end: str
    answer: str
    reason: str
    message_id: str = ""
    of_copy: bool = False


class FoundAnswers(NamedTuple):
    """All that was found in a file: answers, or errors."""

    answers: tuple[PaymentAnswer, ...] = ()
    errors: tuple[tuple[int, str, str], ...] = ()


def parse(data: bytes) -> list[PaymentAnswer]:
    """Return the answers of a file. Raises BadFile with all faults, also what the definition of pain.002 forbids."""
    root = root_of(data)
    reports = [part for part in root.iter() if element_name(part) == status_reports.REPORT]
    if not reports:
        raise bad(root, "document", f"{element_name(root)} is no answer to a payment file: pain.002 is read")
    if wrong := [problem for report in reports for problem in status_reports.problems(report)]:
        raise BadFile(wrong)
    found, errors = [], []
    for part in (one for one in root.iter() if element_name(one) == "TxInfAndSts"):
        end_to_end, status = text_of(part, "OrgnlEndToEndId"), text_of(part, "TxSts")
        if not end_to_end or status not in ANSWERS:
            errors.append(RowError(int(part.sourceline), "TxSts", f"payment {end_to_end!r} has the status {status!r}"))
            continue
        found.append(_answer(part, status)._replace(end_to_end=end_to_end))
    if errors:
        raise BadFile(errors)
    found = found or list(_of_all(root))
    if not found:
        raise bad(root, "TxInfAndSts", "it answers to no single payment: ask the bank for a status of each")
    return found


def _answer(part: Element, status: str) -> PaymentAnswer:
    """Return the answer that a status means with the reasons beside it, without what it answers to."""
    reasons = [first_text(reason, ("Rsn", "Cd"), ("Rsn", "Prtry")) for reason in elements(part, "StsRsnInf")]
    answer = ANSWERS[status]
    of_copy = answer == "REJECTED" and not DUPLICATES.isdisjoint(reasons)
    return PaymentAnswer("", "PENDING" if of_copy else answer, one_text([status, *reasons]), of_copy=of_copy)


def _of_all(root: Element) -> Iterator[PaymentAnswer]:
    """Yield the answer to a file as a whole, if the bank gives one status to all of it."""
    for name, number, status in WHOLE:
        for part in (one for one in root.iter() if element_name(one) == name):
            if (given := text_of(part, status)) in ANSWERS and (message_id := text_of(part, number)):
                yield _answer(part, given)._replace(message_id=message_id)
                return


def read(data: bytes) -> list[PaymentAnswer]:
    """Return what ``parse`` does, from a process of its own with limits. Raises BadFile."""
    with sheets.found_by("settlement.banking.answers", data) as written:
        found = msgspec.json.decode(written.read(), type=FoundAnswers)
    if found.errors:
        raise BadFile([RowError(*error) for error in found.errors])
    return list(found.answers)


def main(given: IO[bytes], out: IO[bytes]) -> None:
    """Read the file within the limits and write its answers."""
    limit()
    try:
        found = FoundAnswers(tuple(parse(given.read())))
    except BadFile as wrong:
        found = FoundAnswers(errors=tuple((error.line, error.column, error.problem) for error in wrong.errors))
    out.write(msgspec.json.encode(found))
    out.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
