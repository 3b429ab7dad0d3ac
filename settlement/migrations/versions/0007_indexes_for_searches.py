"""Indexes for lists and searches over many lots and events"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LOT = {
    "ix_lot_state_lot_id": ["state", "lot_id"],
    "ix_lot_account_lot_id": ["account", "lot_id"],
    "ix_lot_warehouse_lot_id": ["warehouse", "lot_id"],
    "ix_lot_refiner_lot_id": ["refiner", "lot_id"],
}
EVENT = {
    "ix_custody_event_at_event_id": ["at", "event_id"],
    "ix_custody_event_warehouse_at": ["warehouse", "at", "event_id"],
}


def upgrade() -> None:
    for name, columns in LOT.items():
        op.create_index(name, "lot", columns)
    op.create_index("ix_lot_serial_lot_id", "lot", ["serial", "lot_id"], postgresql_ops={"serial": "text_pattern_ops"})
    op.drop_index("ix_lot_symbol_warehouse_state", "lot")
    op.create_index("ix_lot_symbol_warehouse_state", "lot", ["symbol", "warehouse", "state", "lot_id"])
    for name, columns in EVENT.items():
        op.create_index(name, "custody_event", columns)
    op.create_index(
        "ix_custody_event_arrive", "custody_event", ["at", "lot_id"], postgresql_where=sa.text("step = 'arrive'")
    )
    op.drop_index("ix_custody_event_lot_id", "custody_event")
    op.create_index("ix_custody_event_lot_id", "custody_event", ["lot_id", "event_id"])
