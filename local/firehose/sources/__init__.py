"""How records come into a stream. One module per kind.

A source hands bytes to `Stream.accept`, which takes each of them or says that there is no room. What a
source may take at all, and what it answers to whom, is its own business: Direct PUT has quotas, limits
per call and clients that retry; a stream that is read from has a checkpoint to move.
"""
