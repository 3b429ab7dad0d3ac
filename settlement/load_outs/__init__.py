"""Load-outs: application, allocation, over/short weight, handing over, cancellation, claims."""
