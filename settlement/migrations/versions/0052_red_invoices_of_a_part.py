"""Red invoices take back a part of an invoice"""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

RULES = {
    "ck_invoice_corrected_by_whom": "(status IN ('CORRECTED', 'RED')) = (corrected_by IS NOT NULL)",
    "ck_invoice_corrected_why": "corrected_by IS NULL OR reason IS NOT NULL AND correction_by IS NOT NULL",
}

# A red invoice that was issued before this step has no numbers of lines, and cancelled its invoice out whole: the sum of
# its lines is that of no line, so nothing more can be taken back.
CHECK = """
CREATE FUNCTION check_red_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    SELECT coalesce(red.line::text, 'without a number') INTO wrong FROM (
        SELECT (l ->> 'line')::bigint AS line, sum((l ->> 'amount_fen')::bigint) AS amount,
               sum((l ->> 'net_fen')::bigint) AS net, sum((l ->> 'tax_fen')::bigint) AS tax
        FROM invoice r, jsonb_array_elements(r.content::jsonb -> 'lines') l WHERE r.corrects = NEW.corrects GROUP BY 1
    ) red LEFT JOIN (
        SELECT o.line, (o.l ->> 'amount_fen')::bigint AS amount, (o.l ->> 'net_fen')::bigint AS net,
               (o.l ->> 'tax_fen')::bigint AS tax
        FROM invoice i, jsonb_array_elements(i.content::jsonb -> 'lines') WITH ORDINALITY o (l, line)
        WHERE i.invoice_no = NEW.corrects
    ) whole USING (line)
    WHERE whole.line IS NULL OR red.amount > 0 OR red.net > 0 OR red.tax > 0
       OR -red.amount > whole.amount OR -red.net > whole.net OR -red.tax > whole.tax
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'red invoices take back more of invoice % than it has: line %', NEW.corrects, wrong
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    op.add_column("invoice", sa.Column("parts", sa.Text(), nullable=True))
    for name in RULES:
        op.drop_constraint(op.f(name), "invoice")
    op.execute(
        "UPDATE invoice red SET reason = i.reason, correction_by = i.correction_by, corrected_by = i.corrected_by "
        "FROM invoice i WHERE i.invoice_no = red.corrects"
    )
    for name, rule in RULES.items():
        op.create_check_constraint(op.f(name), "invoice", rule)
    op.drop_index("uq_invoice_corrects", "invoice")
    op.create_index("ix_invoice_corrects", "invoice", ["corrects"])
    op.execute(CHECK)
    op.execute(
        "CREATE TRIGGER within_its_invoice AFTER INSERT ON invoice FOR EACH ROW WHEN (NEW.corrects IS NOT NULL) "
        "EXECUTE FUNCTION check_red_invoice()"
    )
    op.execute(
        "CREATE TRIGGER red_kept BEFORE UPDATE ON invoice FOR EACH ROW WHEN (OLD.status = 'RED') "
        "EXECUTE FUNCTION refuse_change('a red invoice stays as it is')"
    )
