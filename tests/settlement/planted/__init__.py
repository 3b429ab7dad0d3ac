"""Differences planted into a correct day, one after the other, which the reconciliations must find and name."""
