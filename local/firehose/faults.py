"""Misbehaviour on request: what a client must survive, as one value set on a running Firehose.

Faults of the transformer are not here: the function that is invoked can fail in every way by itself.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Faults:
    """What the API does wrong, to every PutRecord and PutRecordBatch while it is set.

    - `throttle`: every call is answered 503 ServiceUnavailableException, nothing is taken.
    - `fail_every`: of the records of a call, every n-th fails with ServiceUnavailableException (0: none);
      the others are taken, so a client that sends the whole batch again makes duplicates.
    - `status`: every call is answered with this HTTP status and InternalFailure, nothing is taken.
    - `hang_seconds`: every call waits that long, then is answered as usual: a client that gave up in
      the meantime has been taken at its word all the same.
    - `empty`: every call is answered 200 without a body and *nothing is taken*; Fluent Bit counts that
      as delivered.
    - `taken`: with `status`, every call is taken before it is answered so: a client that sends it again makes
      duplicates.
    """

    throttle: bool = False
    fail_every: int = 0
    status: Literal[500, 503] | None = None
    hang_seconds: float = 0.0
    empty: bool = False
    taken: bool = False


NO_FAULTS = Faults()
