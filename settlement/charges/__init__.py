"""The tariff, and the fees of custody that follow from it."""
