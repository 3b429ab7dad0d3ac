"""Shared by all folders of settlement: database, refusals, arithmetic, steps, proposals, audit log, calendar."""
