"""The transformer on a developer's own lines: `sluice explain` and `sluice transform`.

Both run the code that is deployed, on this machine and without AWS; here is only what leads files to it, watches it,
and shows what it did.
"""
