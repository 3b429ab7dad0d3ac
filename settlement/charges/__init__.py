"""The tariff, the fees of custody that follow from it, and the bills for them."""
