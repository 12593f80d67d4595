"""The tables of Athena over what lies in S3, from the one schema: nothing crawls, nothing is registered.

Of each route to S3 there is a table of its documents; of all routes together, one of the records that failed and one of
the reasons. A table knows its folders by rule (partition projection), so a new hour or day needs nobody.

**No document is lost to its type.** `resource`, `body` and `attributes` are text columns that hold JSON: whatever a
line says, it is text to the table, read with `json_extract_scalar(attributes, '$["http.response.status_code"]')`. What
is typed beside them, the transformer writes and no client can. The SerDe is told to keep the case of keys: by default
it makes them lower case, which changes what stands in those texts and fails a line with two keys that differ in case
only. A line that is no JSON after all is a row without an `event_id` instead of the end of every query.

Partition keys are spelled as the folders are: `year = '2026' AND month = '11' AND day = '07'`, with leading zeros.

Names: a route's table is its name with underscores (`sluice.names.table`). A route's name has no two hyphens in a row,
so names with `__` in them can be no route's: they are ours.

Cost: the first of every month is as cheap as the last; a query without any of year, month or day asks S3 for every hour
of the retention, 8,928 folders a year for each value of a partition key. A query that names no value of a key without
`values` is refused by Athena.

Sources: https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html,
https://github.com/trinodb/trino/tree/master/lib/trino-hive-formats/src/main/java/io/trino/hive/formats/line/openxjson,
https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice import names
from sluice.destinations import PartitionKey, S3Destination
from sluice.model import Deployment
from sluice.routes import Route

FAILED: Final = "all__failed"
REASONS: Final = "all__reasons"
OTHER: Final = "other"
"""The folder of values that a partition key does not list."""


@dataclass(frozen=True)
class Column:
    """A column: its name, its type as Hive spells it, and what it holds."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Form:
    """How a table's files are read."""

    classification: str
    reader: str
    writer: str
    serde: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A table of the Glue catalog. `location` is an s3:// URI, `parameters` hold the rule of its folders."""

    name: str
    description: str
    columns: tuple[Column, ...]
    partitions: tuple[Column, ...]
    location: str
    form: Form
    parameters: Mapping[str, str]


DOCUMENT: Final = (
    Column("event_time", "string", "when it happened: RFC 3339, UTC, nine digits, so it sorts as text (@timestamp)"),
    Column("observedtimestamp", "string", "when the line was read, in the same form"),
    Column("severity", "struct<text:string,number:int>", "INFO and 9, as OpenTelemetry numbers them"),
    Column("traceid", "string", "32 hexadecimal digits"),
    Column("spanid", "string", "16 hexadecimal digits"),
    Column("tag", "string", "the tag it was sent with"),
    Column("event_id", "string", "equal for copies of one line; null for a line that could not be read"),
    Column("resource", "string", "JSON: where it comes from, as $.service.name"),
    Column("body", "string", "the line or its message; JSON if it was no text"),
    Column("attributes", "string", 'JSON: everything else, as $["http.response.status_code"]'),
)
MADE: Final = (
    Column("severity_text", "string", "as INFO"),
    Column("severity_number", "int", "9 for INFO, 17 for ERROR"),
    Column("service_name", "string", "the service's name, of resource"),
)
"""What views have in place of the document's `severity`, and beside it."""
KEYS: Final[Mapping[str, str]] = {
    "event_time": "@timestamp",
    "observedtimestamp": "observedTimestamp",
    "traceid": "traceId",
    "spanid": "spanId",
}
"""The keys of a document that are not named as their columns, which are in lower case, and `timestamp` is a type."""

# Which of them an object has depends on what failed, and how Firehose spells the error's on the kind of failure.
# https://docs.aws.amazon.com/firehose/latest/dev/retry.html and .../record-format-conversion-error-handling.html
FAILED_RECORD: Final = (
    Column("attemptsmade", "int", "how often Firehose tried"),
    Column("arrivaltimestamp", "bigint", "when it arrived, in milliseconds since 1970"),
    Column("attemptendingtimestamp", "bigint", "when Firehose gave up, in milliseconds since 1970"),
    Column("errorcode", "string", "Firehose's code"),
    Column("errormessage", "string", "Firehose's words"),
    Column("lasterrorcode", "string", "Firehose's code, where a conversion failed"),
    Column("lasterrormessage", "string", "Firehose's words, where a conversion failed"),
    Column("lambdaarn", "string", "the function, where a transformation failed"),
    Column("esdocumentid", "string", "the document's id, where OpenSearch refused it"),
    Column("esindexname", "string", "the index, where OpenSearch refused it"),
    Column("rawdata", "string", "the record as it was, in base64"),
)
REASON: Final = (
    Column("recordid", "string", "the record's id in its batch"),
    Column("sha256", "string", "of the record's data, in hexadecimal digits"),
    Column("reason", "string", "why it failed"),
    Column("bytes", "bigint", "of its data"),
    Column("error", "string", "type of an unexpected error"),
    Column("place", "string", "where that was raised"),
)

# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html (error-output-type), .../buffering.html for too many
# partitions, the API reference of S3BackupMode for OpenSearch, and for a record without its keys what the CDK's own
# integration test of dynamic partitioning sees in AWS. A folder of another name would be there and not in the table.
ERROR_OUTPUT_TYPES: Final = (
    "processing-failed",
    "AmazonOpenSearchService-failed",
    "elasticsearch-failed",
    "format-conversion-failed",
    "activePartitionExceeded",
    "partitioning-failed",
    "metadata-extraction-failed",
)

TIME: Final = (
    Column("year", "string", "of arrival, UTC, as '2026'"),
    Column("month", "string", "of arrival, as '01' to '12'"),
    Column("day", "string", "of arrival, as '01' to '31'"),
    Column("hour", "string", "of arrival, as '00' to '23'; of the oldest record in its object"),
)
TAKEN: Final = frozenset(column.name for column in (*DOCUMENT, *MADE, *TIME))
"""Names that a partition key cannot have: its column would be there twice, and no table has that."""
_TIME_RANGES: Final = {"month": "1,12", "day": "1,31", "hour": "0,23"}
_DAYS_A_YEAR: Final = 365

_TEXT: Final = (
    "org.apache.hadoop.mapred.TextInputFormat",
    "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
)
_OPENX: Final = "org.openx.data.jsonserde.JsonSerDe"
JSON_LINES: Final = Form(
    "json",
    *_TEXT,
    _OPENX,
    {
        "case.insensitive": "false",
        "dots.in.keys": "false",
        "ignore.malformed.json": "true",
        **{f"mapping.{column}": key for column, key in KEYS.items()},
    },
)
# What Firehose and the function write themselves: the case of its keys is Firehose's affair.
OWN_LINES: Final = Form("json", *_TEXT, _OPENX, {"case.insensitive": "true", "ignore.malformed.json": "true"})
PARQUET: Final = Form(
    "parquet",
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    {"serialization.format": "1"},
)


def to_s3(deployment: Deployment) -> Iterator[tuple[Route, S3Destination]]:
    """The routes whose documents are in S3, in their order."""
    for route in deployment.routes:
        if isinstance(route.destination, S3Destination):
            yield route, route.destination


def tables(deployment: Deployment, *, bucket: str) -> tuple[Table, ...]:
    """Every table of an environment; the bucket's name may be a token."""
    routes = [
        documents(route, destination, bucket=bucket, days=deployment.retention.objects_days)
        for route, destination in to_s3(deployment)
    ]
    every = tuple(route.name for route in deployment.routes)
    days = deployment.retention.failed_days
    return (*routes, failed(every, bucket=bucket, days=days), reasons(every, bucket=bucket, days=days))


def documents(route: Route, destination: S3Destination, *, bucket: str, days: int) -> Table:
    """The table of a route's documents, which are kept for so many days."""
    keys = destination.partition_by
    partitions = tuple(Column(key.name, "string", f"of {key.field}") for key in keys)
    folders = {key.name: _values(key) for key in keys}
    return _table(
        names.table(route),
        f"Documents of route {route.name}",
        DOCUMENT,
        partitions,
        form=PARQUET if destination.format == "parquet" else JSON_LINES,
        below=f"s3://{bucket}/{names.delivered_prefix(route)}",
        folders=folders,
        days=days,
    )


def failed(routes: Sequence[str], *, bucket: str, days: int) -> Table:
    """The table of what could not be processed or delivered, of all routes."""
    return _table(
        FAILED,
        "Records that failed, as Firehose keeps them",
        FAILED_RECORD,
        (Column("route", "string", "whose record it is"), Column("reason", "string", "what failed, as Firehose says")),
        form=OWN_LINES,
        below=f"s3://{bucket}/failed/",
        folders={"route": _enum(routes), "reason": _enum(ERROR_OUTPUT_TYPES)},
        days=days,
    )


def reasons(routes: Sequence[str], *, bucket: str, days: int) -> Table:
    """The table of why the transformer refused records, of all routes."""
    return _table(
        REASONS,
        "Why the transformer refused records, joined with them by sha256",
        REASON,
        (Column("route", "string", "whose record it is"),),
        form=OWN_LINES,
        below=f"s3://{bucket}/reasons/",
        folders={"route": _enum(routes)},
        days=days,
    )


def _table(
    name: str,
    description: str,
    columns: tuple[Column, ...],
    partitions: tuple[Column, ...],
    *,
    form: Form,
    below: str,
    folders: Mapping[str, Mapping[str, str]],
    days: int,
) -> Table:
    """A table whose folders are `<partition>=<value>/` in the order of the partitions, and then the hour's."""
    every = (*partitions, *TIME)
    # documents: their prefix ends with the route already
    template = below + "".join(f"{column.name}=${{{column.name}}}/" for column in every)
    rules = {
        f"projection.{column}.{key}": value
        for column, settings in {**folders, **_hours(days)}.items()
        for key, value in settings.items()
    }
    return Table(
        name=name,
        description=description,
        columns=columns,
        partitions=every,
        location=below,
        form=form,
        parameters={
            "EXTERNAL": "TRUE",
            "classification": form.classification,
            "projection.enabled": "true",
            **rules,
            "storage.location.template": template,
        },
    )


def _values(key: PartitionKey) -> Mapping[str, str]:
    return {"type": "injected"} if key.values is None else _enum((*key.values, OTHER))


def _enum(values: Sequence[str]) -> Mapping[str, str]:
    return {"type": "enum", "values": ",".join(dict.fromkeys(values))}


def _hours(days: int) -> Mapping[str, Mapping[str, str]]:
    """The folders of an arrival hour: as far back as objects are kept, and never a fixed end."""
    back = math.ceil(days / _DAYS_A_YEAR)
    year = {
        "type": "date",
        "format": "yyyy",
        "range": f"NOW-{back}YEARS,NOW",
        "interval": "1",
        "interval.unit": "YEARS",
    }
    return {
        "year": year,
        **{name: {"type": "integer", "range": range_, "digits": "2"} for name, range_ in _TIME_RANGES.items()},
    }
