"""Object names: prefix expressions and the suffix that Firehose puts behind them.

`!{partitionKeyFromLambda:…}` is a key that the function answered for each record, in a prefix of a stream with
dynamic partitioning only. `!{timestamp:…}` takes a Java DateTimeFormatter pattern. The numeric letters that a time
partition needs are understood (y u M d D H m s, quoted text, any non-letter); any other letter is refused when the
configuration is read, not when the first object is due.

Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html and s3-object-name.html there.
"""

import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from local.firehose import limits
from local.firehose.record import PROCESSING_FAILED

_PARTITION_KEY: Final = "partitionKeyFromLambda"
_RANDOM: Final = "!{firehose:random-string}"
_DEFAULT_TIME = "!{timestamp:yyyy/MM/dd/HH/}"
_ERROR_TYPE = "!{firehose:error-output-type}"
_EXPRESSION = re.compile(r"!\{([^:}]*):([^}]*)\}")
_PATTERN_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_SOME_TIME = datetime(2018, 12, 27, 10, 30, 59, tzinfo=UTC)

_FIELDS: dict[str, Callable[[datetime], int]] = {
    "y": lambda at: at.year,
    "u": lambda at: at.year,
    "M": lambda at: at.month,
    "d": lambda at: at.day,
    "D": lambda at: at.timetuple().tm_yday,
    "H": lambda at: at.hour,
    "m": lambda at: at.minute,
    "s": lambda at: at.second,
}
_LONGEST = {"y": 9, "u": 9, "D": 3}  # Java refuses more letters; M beyond two is a name, not a number


class PrefixError(ValueError):
    """A prefix that Firehose would refuse, or an expression outside what is understood here."""


class MissingKeyError(PrefixError):
    """A partition key that a prefix names was not answered, or is empty."""


def complete_prefixes(prefix: str, error_prefix: str, *, partitioned: bool = False) -> tuple[str, str]:
    """Return the two expressions that are evaluated for each object, defaults and appended parts included.

    A prefix without a timestamp gets `yyyy/MM/dd/HH/` behind it. Without an error prefix, failures go
    under the prefix, the error type and the hour. Raises PrefixError for what AWS's rules refuse, and for
    chance in a partition's name: each record would be a partition of its own.
    """
    if partitioned != (f"!{{{_PARTITION_KEY}:" in prefix):
        # In AWS's words.
        raise PrefixError(
            "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
            if partitioned
            else "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning "
            "is enabled"
        )
    if partitioned and _RANDOM in prefix:
        raise PrefixError(f"prefix {prefix!r} has {_RANDOM} and partition keys; remove one")
    if _ERROR_TYPE in prefix:
        raise PrefixError(f"prefix {prefix!r} contains {_ERROR_TYPE}; only an error prefix may")
    if error_prefix and _ERROR_TYPE not in error_prefix:
        raise PrefixError(f"error prefix {error_prefix!r} lacks {_ERROR_TYPE}; add it")
    if not error_prefix and _EXPRESSION.search(prefix):
        raise PrefixError(f"prefix {prefix!r} has expressions, so an error prefix is needed; add one")
    complete = prefix if "!{timestamp:" in prefix else prefix + _DEFAULT_TIME
    complete_error = error_prefix or f"{prefix}{_ERROR_TYPE}/{_DEFAULT_TIME}"
    some_keys = {value: "x" for namespace, value in _EXPRESSION.findall(prefix) if namespace == _PARTITION_KEY}
    evaluate_prefix(complete, at=_SOME_TIME, keys=some_keys)
    evaluate_prefix(complete_error, at=_SOME_TIME, error_type=PROCESSING_FAILED)
    return complete, complete_error


def evaluate_prefix(
    expression: str, *, at: datetime, error_type: str | None = None, keys: Mapping[str, str] | None = None
) -> str:
    """Return `expression` with its `!{…}` replaced, for an object whose oldest record arrived `at` (UTC).

    `keys` are the partition keys, None where the expression may have none. Raises PrefixError, MissingKeyError.
    """

    def replace(match: re.Match[str]) -> str:
        namespace, value = match.groups()
        if namespace == "timestamp":
            return _format_time(value, at)
        if (namespace, value) == ("firehose", "random-string"):
            return secrets.token_hex(6)[:11]
        if (namespace, value) == ("firehose", "error-output-type") and error_type is not None:
            return error_type
        if namespace == _PARTITION_KEY and keys is not None:
            return _partition_key(value, keys)
        raise PrefixError(f"{match.group()} in prefix {expression!r} is not understood; use timestamp:…")

    if "!{" in _EXPRESSION.sub("", expression):
        raise PrefixError(f"prefix {expression!r} has '!{{' outside of a !{{namespace:value}}")
    evaluated = _EXPRESSION.sub(replace, expression)
    if len(evaluated) > limits.EVALUATED_PREFIX_CHARACTERS:
        raise PrefixError(
            f"prefix {expression!r} evaluates to {len(evaluated)} characters; "
            f"at most {limits.EVALUATED_PREFIX_CHARACTERS} are allowed"
        )
    return evaluated


def _partition_key(name: str, keys: Mapping[str, str]) -> str:
    value = keys.get(name)
    if not value:
        raise MissingKeyError(f"the partition key {name!r} is missing or empty")
    return value


def object_suffix(stream: str, version: str, *, at: datetime, extension: str) -> str:
    """Return `<stream>-<version>-YYYY-MM-DD-HH-MM-SS-<uuid><extension>`, of the same `at` as the prefix."""
    return f"{stream}-{version}-{at:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{extension}"


def _format_time(pattern: str, at: datetime) -> str:
    parts: list[str] = []
    position = 0
    for token in _PATTERN_TOKEN.finditer(pattern):
        if token.start() != position:
            break
        position = token.end()
        quoted, letter = token.groups()
        if quoted is not None:
            parts.append(quoted.replace("''", "'") or "'")
        elif letter is not None:
            parts.append(_format_field(letter, len(token.group()), at, pattern))
        else:
            parts.append(token.group())
    if position != len(pattern):
        raise PrefixError(f"timestamp pattern {pattern!r} has a quote that is not closed")
    return "".join(parts)


def _format_field(letter: str, width: int, at: datetime, pattern: str) -> str:
    field = _FIELDS.get(letter)
    if field is None or width > _LONGEST.get(letter, 2):
        raise PrefixError(
            f"timestamp pattern {pattern!r}: {letter * width} is not understood; "
            f"use {' '.join(_FIELDS)} with up to two letters (four for a year)"
        )
    value = field(at)
    if letter in "yu" and width == 2:  # noqa: PLR2004 - two letters are Java's short year
        value %= 100
    return str(value).zfill(width)
