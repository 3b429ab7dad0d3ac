"""A lot that is frozen or held after it was allocated to a load-out is not handed out"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A load-out that the engine has settled becomes WITHDRAWN even if its lots are locked: its gold has left the account.
LOCKED_LOTS_STAY = """
CREATE OR REPLACE FUNCTION locked_lots_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM lot_lock WHERE lot_id = NEW.lot_id AND lifted_at IS NULL
               AND (NEW.state = 'ALLOCATED' OR kind IN ('FREEZE', 'LEGAL_HOLD'))) THEN
        RAISE EXCEPTION 'lot % is locked and cannot become %', NEW.lot_id, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.execute(LOCKED_LOTS_STAY)
    op.execute("DROP TRIGGER locked_lots_stay ON lot")
    op.execute(
        "CREATE TRIGGER locked_lots_stay BEFORE UPDATE OF state ON lot FOR EACH ROW "
        "WHEN (NEW.state IN ('ALLOCATED', 'RELEASED') AND NEW.state <> OLD.state) EXECUTE FUNCTION locked_lots_stay()"
    )
