"""Load-outs: application, allocation, handing over, cancellation, claims."""
