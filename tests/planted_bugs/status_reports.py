"""Bugs in the check of pain.002 against its definition."""

from tests.planted_bugs.bug import Bug

REPORTS = "status_reports.py"

BUGS = (
    Bug("versions with other elements are read", REPORTS, "(0[3-9]|1[0-5])", "([0-9]{2})"),
    Bug("text between elements is not seen", REPORTS, 'if any((text or "").strip() for', 'if any((text or "")[:0] for'),
    Bug("an element out of order is read", REPORTS, "if place < reached:", "if place < 0:"),
    Bug("an element may come more often", REPORTS, "== child.most + 1", "== child.most + 2"),
    Bug("what must be there may be missing", REPORTS, "if child.least and", "if not child.least and"),
    Bug(
        "an element of another namespace is read",
        REPORTS,
        "if place is None or name.namespace !=",
        "if place is None or not",
    ),
    Bug("the oldest version takes every status", REPORTS, "if version == OLDEST else", "if version != OLDEST else"),
    Bug("a reason may have two codes", REPORTS, "sum(counts.values()) != 1", "sum(counts.values()) < 1"),
    Bug(
        "a text may be longer",
        REPORTS,
        "_ID, _CODE, _INFORMATION = _signs(35)",
        "_ID, _CODE, _INFORMATION = _signs(140)",
    ),
    Bug("attributes are not looked at", REPORTS, "if name.namespace != _INSTANCE:", "if name.namespace == _INSTANCE:"),
    Bug(
        "an answer is read without its definition",
        "answers.py",
        "for problem in status_reports.problems(report)]",
        "for problem in status_reports.problems(report)[:0]]",
    ),
)
