"""The register of lots: their states, locks, origin, weighing and sampling."""
