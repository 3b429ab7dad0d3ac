"""What all of settlement rests on: the database, refusals, arithmetic, states, proposals, the audit log."""
