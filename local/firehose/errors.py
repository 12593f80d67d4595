"""What can go wrong, under the names that AWS gives it.

`ApiError` is an answer to a client. `InvocationError` is one failed call of a transformer, which the
stream retries. `UnsupportedFeatureError` is ours: a deployed configuration asks for something that this
Firehose does not do, and doing something else silently would prove nothing.
"""


class ApiError(Exception):
    """An error answer of the API: `code` is the `__type`, `status` the HTTP status."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def service_unavailable(message: str = "Slow down.") -> ApiError:
    """Return the answer to a client over its quota, which SDKs and Fluent Bit retry."""
    return ApiError("ServiceUnavailableException", message, status=503)


def not_found(stream: str) -> ApiError:
    """Return the answer to a call on a stream that is not there."""
    return ApiError("ResourceNotFoundException", f"Firehose {stream} not found.")


def read_only() -> ApiError:
    """Return the answer to a put to a stream that reads a data stream, in AWS's words."""
    return ApiError(
        "InvalidArgumentException", "This operation is not permitted on KinesisStreamAsSource delivery stream type."
    )


class InvocationError(Exception):
    """A call of a transformer that gave no answer to read.

    Codes and messages are those of "Lambda invocation errors" on
    https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class UnsupportedFeatureError(Exception):
    """A stream's configuration asks for what the local Firehose does not do."""

    def __init__(self, stream: str, feature: str, remedy: str) -> None:
        super().__init__(f"{stream}: the local Firehose does not do {feature}; {remedy}")
