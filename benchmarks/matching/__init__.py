"""How fast the matching core is, beside other engines from PyPI, on flows that all of them can run."""
