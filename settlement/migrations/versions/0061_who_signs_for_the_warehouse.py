"""A permission of its own for who signs a day in the warehouse's name"""

from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

OF_STAFF = "ARRAY['operate', 'settle', 'supervise', 'warehouse']"
CHECKS = {
    ("staff", "ck_staff_permissions_known"): f"permissions <@ {OF_STAFF}",
    ("api_key", "ck_api_key_permissions_fit_holder"): (
        f"permissions <@ CASE WHEN staff IS NULL THEN ARRAY['trade'] ELSE {OF_STAFF} END"
    ),
}


def upgrade() -> None:
    for (table, name), check in CHECKS.items():
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, check)
