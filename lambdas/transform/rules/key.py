"""The key that hashes are made with: read from Secrets Manager when the first is needed, and then kept.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html

The key never leaves this object: it is in no variable of the environment, no log line and no exception. Without a key
nothing is hashed and nothing passes unhashed: the record fails, and Firehose keeps it. Asking costs the process one
call of some 50 ms; when that fails, the next attempt is a minute later, so that an outage does not cost every record
a wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import blake2b

from lambdas.transform.errors import RecordError

NO_KEY = "no_redaction_key"
"""Why a record fails that has something to hash while the key cannot be read."""
HASH_BYTES = 16
RETRY_SECONDS = 60
_LEAST_KEY_LENGTH = 32


class RedactionKey:
    """Keyed hashes: BLAKE2b of 128 bits, equal for equal values under one key."""

    __slots__ = ("_arn", "_clock", "_failed_at", "_fetch", "_key")

    def __init__(
        self, arn: str, *, fetch: Callable[[str], str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._arn = arn
        self._fetch = fetch or fetch_secret
        self._clock = clock
        self._key: bytes | None = None
        self._failed_at: float | None = None

    def __repr__(self) -> str:
        return f"RedactionKey({self._arn!r})"

    def hash(self, value: str) -> str:
        """Hash a value, as 32 hexadecimal digits. RecordError when there is no key."""
        key = self._key if self._key is not None else self._read()
        return blake2b(value.encode("utf-8", "surrogatepass"), key=key, digest_size=HASH_BYTES).hexdigest()

    def _read(self) -> bytes:
        if self._failed_at is not None and self._clock() - self._failed_at < RETRY_SECONDS:
            raise RecordError(NO_KEY)
        try:
            secret = self._fetch(self._arn)
        # Whatever goes wrong, from a missing library to a denied call: the exception could quote the answer, and goes.
        except Exception:
            secret = ""
        if len(secret) < _LEAST_KEY_LENGTH:
            self._failed_at = self._clock()
            raise RecordError(NO_KEY)
        self._key = blake2b(secret.encode()).digest()
        return self._key


def fetch_secret(arn: str) -> str:
    """Read a secret's text from Secrets Manager; whatever boto3 raises."""
    import boto3  # noqa: PLC0415 - a quarter of a second that only routes with hashes pay
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2})
    client = boto3.client("secretsmanager", config=config)
    return str(client.get_secret_value(SecretId=arn)["SecretString"])
