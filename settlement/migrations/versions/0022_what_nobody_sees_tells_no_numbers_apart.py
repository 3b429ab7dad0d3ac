"""Numbers are compared in small letters of every Latin language, and without invisible signs"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# History: the same lists as in settlement/base/spelling.py when this was written; tests compare the two functions.
LETTERS = [
    code
    for code in (*range(0x80, 0x590), *range(0x1E00, 0x2000))
    if len(chr(code).lower()) == 1 and chr(code).lower() != chr(code)
]
APOSTROPHES = "\u2018\u2019\u02bc"
HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
INVISIBLE = (
    "\u0085\u00ad\u1680\u200b\u200c\u200d\u2028\u2029\u2060\ufeff"
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
FROM = "".join(map(chr, LETTERS)) + APOSTROPHES + HYPHENS + INVISIBLE
INTO = "".join(chr(code).lower() for code in LETTERS) + "''" * len(APOSTROPHES) + "-" * len(HYPHENS)

FOLDED = rf"""
CREATE OR REPLACE FUNCTION folded(typed text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF octet_length(typed) <> char_length(typed) THEN
        typed := translate(normalize(typed, NFKC), '{FROM}', '{INTO}');
    END IF;
    RETURN lower(ltrim(translate(typed, E' \t\n\x0b\f\r', ''), '''') COLLATE "C");
END $$;
"""
INDEXES = sa.text(
    "SELECT indexrelid::regclass::text FROM pg_index WHERE pg_get_indexdef(indexrelid) LIKE '%folded(%' ORDER BY 1"
)


def _reindex(index: str) -> None:
    """Raise ValueError with the duplicates: a person has to decide which of the two is right."""
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            connection.execute(sa.text(f"REINDEX INDEX {index}"))
    except sa.exc.IntegrityError as error:
        why = "two spellings of one number; end all but one of each with the previous version of the program"
        found = getattr(error.orig.__cause__, "detail", error.orig) if error.orig else error
        raise ValueError(f"{index} has {why}: {found}") from error


def upgrade() -> None:
    op.execute(FOLDED)
    # The indexes hold values folded by the former function.
    for index in op.get_bind().execute(INDEXES).scalars().all():
        _reindex(index)
