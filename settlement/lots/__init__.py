"""The register of lots: steps, locks, acceptance, provenance, customs status, balances and samples."""
