"""A ProcessingConfiguration, read: the transformer, and the delimiter behind each record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from local.firehose import limits
from local.firehose.config import BufferHints, LambdaProcessor
from local.firehose.errors import UnsupportedFeatureError
from local.firehose.values import Description, in_range, is_enabled

_NEWLINES: Final = ("\n", "\\n")


@dataclass(frozen=True)
class Processors:
    """What is done to a record between source and destination."""

    function: LambdaProcessor | None = None
    delimiter: bytes = b""


def read_processors(stream: str, processing: Description) -> Processors:
    """Return the processors that are switched on; UnsupportedFeatureError for one that is not done here."""
    function: LambdaProcessor | None = None
    delimiter = b""
    for each in processing.get("Processors", []) if is_enabled(processing) else []:
        parameters = {pair["ParameterName"]: pair["ParameterValue"] for pair in each.get("Parameters", [])}
        match each["Type"]:
            case "Lambda" if function is None:
                function = _read_lambda(stream, parameters)
            case "AppendDelimiterToRecord" if parameters.get("Delimiter", "\n") in _NEWLINES:
                delimiter = b"\n"
            case kind:
                raise UnsupportedFeatureError(stream, f"the processor {kind} with {parameters}", "remove it")
    return Processors(function, delimiter)


def _read_lambda(stream: str, parameters: Mapping[str, str]) -> LambdaProcessor:
    known = {"LambdaArn", "RoleArn", "NumberOfRetries", "BufferSizeInMBs", "BufferIntervalInSeconds"}
    for unknown in sorted(set(parameters) - known):
        raise UnsupportedFeatureError(stream, f"the Lambda processor's {unknown}", "remove it")
    size = parameters.get("BufferSizeInMBs", limits.DEFAULT_LAMBDA_BUFFER_MB)
    interval = parameters.get("BufferIntervalInSeconds", limits.DEFAULT_LAMBDA_BUFFER_SECONDS)
    interval_seconds = in_range(stream, "BufferIntervalInSeconds", interval, limits.LAMBDA_BUFFER_SECONDS_RANGE)
    size_mb = in_range(stream, "BufferSizeInMBs", size, limits.LAMBDA_BUFFER_MB_RANGE)
    return LambdaProcessor(
        arn=parameters["LambdaArn"],
        hints=BufferHints(size_bytes=int(size_mb * limits.MIB), interval_seconds=interval_seconds),
        retries=int(parameters.get("NumberOfRetries", limits.DEFAULT_LAMBDA_RETRIES)),
    )
