"""A break whose sides are no numbers has what differs in a column; until now its note alone told one from another"""

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None

# Read for the last time out of the notes, which the programs until now have written in these forms and no others. A
# note of another form leaves null: such a break, if it is dealt with, is open again once. The words that stood for
# figures in a note are figures again.
SIDE = """CASE
    WHEN side.value = 'None' THEN to_jsonb(NULL::text)
    WHEN subject ~ '^lot:\\d+ [A-Z]+$' THEN to_jsonb(CASE side.value WHEN 'locked' THEN '1' ELSE '0' END)
    WHEN subject ~ '^lot_reservation:\\d+ lot:\\d+$' THEN to_jsonb(CASE side.value WHEN 'kept' THEN '1' ELSE '0' END)
    WHEN subject ~ '^receipt:\\d+ origin$' THEN to_jsonb(CASE side.value WHEN 'live' THEN '1' ELSE '0' END)
    WHEN subject ~ ' (amounts|posted)$' THEN CASE
        WHEN side.value IN ('nothing', 'nothing sent', 'no document') THEN to_jsonb(NULL::text)
        ELSE to_jsonb(string_to_array(side.value, ', ')) END
    WHEN subject ~ '^day:.* fees$' THEN to_jsonb(string_to_array(side.value, ' fees of '))
    WHEN subject ~ ' permissions$' THEN to_jsonb(string_to_array(translate(side.value, '[]''', ''), ', '))
    WHEN subject ~ ' state$' AND side.value = 'deleted' THEN to_jsonb(NULL::text)
    WHEN subject ~ ' state$' THEN to_jsonb(replace(side.value, ' or ', '/'))
    ELSE to_jsonb(side.value) END"""
ROW_CHANGED = """jsonb_build_array(
    substring(note FROM ' in SQL, without an act \\(change (\\d+)\\)'),
    substring(note FROM 'before change (\\d+)'),
    CASE WHEN note ~ 'now it is gone' THEN '' ELSE substring(note FROM 'its digest is now ([0-9a-f]{8})') END)"""
TRADE = (
    "^(-?\\d+) mg of (\\S+) at (-?\\d+) for (-?\\d+) fen with fees of (-?\\d+) and (-?\\d+) fen, from (\\S+) to (\\S+); "
    "entry (\\d+) has (-?\\d+) fen and (-?\\d+) mg of the buyer, (-?\\d+) fen and (-?\\d+) mg of the seller$"
)
FORMS = {
    "kind = 'HISTORY' AND subject ~ ' row$'": ROW_CHANGED,
    "kind = 'HISTORY'": (
        f"(SELECT jsonb_agg({SIDE} ORDER BY side.place) FROM "
        "unnest(regexp_match(note, '^(.*) by its history, (.*) in the table$')) WITH ORDINALITY AS side (value, place))"
    ),
    "kind = 'TRADES' AND subject ~ '^entry:'": (
        "to_jsonb(ARRAY[replace(substring(note FROM '^an entry of a (.*) that is in no register$'), ' ', '_')])"
    ),
    "kind = 'TRADES'": f"to_jsonb(regexp_match(note, '{TRADE}'))",
    "kind = 'PARTY_DIFF'": (
        "to_jsonb(coalesce(regexp_match(note, '^.*: paid for (.*), cash:(\\d+) is money of (.*)$'), "
        "regexp_match(note, '^.*: paid to (.*), cash:(\\d+) of (.*) was ordered to (.*)$')))"
    ),
    "true": (
        "(SELECT jsonb_agg(nullif(side.value, 'None') ORDER BY side.place) FROM "
        "unnest(regexp_match(note, '^lot \\d+: (.*) in the register, (.*) there$')) "
        "WITH ORDINALITY AS side (value, place))"
    ),
}
CASES = "\n".join(f"WHEN {where} THEN {form}" for where, form in FORMS.items())
# The new form is recorded only for rows that agree with their history: a change by hand must still be found. A corrected
# break is never compared again.
FILL = f"""
DO $$
DECLARE
    unaltered text[] := unaltered_rows('recon_break');
BEGIN
    ALTER TABLE recon_break DISABLE TRIGGER row_changed;
    UPDATE recon_break SET difference = (CASE {CASES} END)::text WHERE unit = 'match' AND status <> 'CORRECTED';
    ALTER TABLE recon_break ENABLE TRIGGER row_changed;
    PERFORM record_new_form('recon_break', unaltered);
END $$
"""


def upgrade() -> None:
    op.add_column("recon_break", sa.Column("difference", sa.Text(), nullable=True))
    op.get_bind().exec_driver_sql(FILL)
