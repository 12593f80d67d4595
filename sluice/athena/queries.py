"""What is asked of the tables: a view without duplicates per route, and the first questions, as named queries.

Delivery is at least once, so a line may be there twice, with one `event_id` (decision 0005), and a stack trace once
whole and once cut short, with the whole one's larger count of lines (decision 0012). `<table>__unique` keeps one
document of each id: the one that holds the most.

It looks for copies among what arrived on one day (UTC). Athena reads only the folders that a query asks for if the
question reaches the table through the view, and it does so only for what copies are told apart by; a view over all days
would read all days. So copies that arrived before and after midnight are both there. To count across days, count
`DISTINCT event_id`.

Every query reads the folders of the last day and no others (`arrived`). The SQL is Athena's (engine version 3, Trino);
the tests run the same text in DuckDB.
"""

# ruff: noqa: S608
# What is put into the text are names of tables and columns, whose form the configuration was checked for, and numbers.

from dataclasses import dataclass
from typing import Final

from sluice import names
from sluice.athena.tables import DOCUMENT, FAILED, MADE, REASONS, TIME, Column, to_s3
from sluice.destinations import S3Destination
from sluice.model import Deployment
from sluice.routes import Route

UNIQUE: Final = "__unique"
HOURS: Final = 24
# An object lies in the hour of its oldest record, and is written up to 15 minutes later, partitioned ones half an hour.
MARGIN_HOURS: Final = 1
ERROR: Final = 17
_A_DAY: Final = 24


@dataclass(frozen=True)
class Query:
    """A question with its answer's SQL; `?` is a value that is asked for when it runs."""

    name: str
    description: str
    sql: str


@dataclass(frozen=True)
class View:
    """A view: its query, and the columns that this has."""

    name: str
    description: str
    sql: str
    columns: tuple[Column, ...]


def views(deployment: Deployment) -> tuple[View, ...]:
    """For every route to S3, its documents without duplicates."""
    return tuple(_unique(deployment, route, destination) for route, destination in to_s3(deployment))


def queries(deployment: Deployment) -> tuple[Query, ...]:
    """The named queries of an environment: of every route to S3, and of what failed on any."""
    return (
        *(query for route, to in to_s3(deployment) for query in _of_route(deployment, route, to)),
        failed(deployment),
    )


def arrived(hours: int, *, table: str = "") -> str:
    """The condition that reads the folders of the last hours and no others.

    All three lines together are what Athena finds folders by: the first says exactly which, the others keep it from
    going through all years and days to find them.
    """
    of = f"{table}." if table else ""
    days = ", ".join(_ago(back, "%d") for back in (*range(0, hours, _A_DAY), hours))
    return (
        f"{of}year || {of}month || {of}day || {of}hour >= {_ago(hours, '%Y%m%d%H')}\n"
        f"  AND {of}year >= {_ago(hours, '%Y')}\n"
        f"  AND {of}day IN ({days})"
    )


def _ago(hours: int, form: str) -> str:
    then = f"current_timestamp - INTERVAL '{hours}' HOUR" if hours else "current_timestamp"
    return f"date_format({then}, '{form}')"


@dataclass(frozen=True)
class _Of:
    """What the queries of a route are about: its name, its table, and the condition that reads the last day."""

    route: str
    table: str
    last_day: str


def _of_route(deployment: Deployment, route: Route, destination: S3Destination) -> tuple[Query, ...]:
    # Of a key without values Athena has to be told one: it knows no list of its folders.
    asked = "".join(f"\n  AND {quoted(key.name)} = ?" for key in destination.partition_by if key.values is None)
    of = _Of(route.name, qualified(deployment, names.table(route)), arrived(HOURS + MARGIN_HOURS) + asked)
    return (_errors(of), _request(of), _duplicates(of), _slowest(of), _unreadable(of))


def _errors(of: _Of) -> Query:
    return Query(
        f"{of.route}: errors by service",
        "How many errors of each service were written in the last 24 hours, and the last of them",
        f"""\
SELECT json_extract_scalar(resource, '$.service.name') AS service_name,
  severity.text AS severity,
  count(DISTINCT event_id) AS documents,
  max(event_time) AS last_at,
  max_by(body, event_time) AS last_body
FROM {of.table}
WHERE {of.last_day}
  AND event_time >= {_ago(HOURS, "%Y-%m-%dT%H:%i:%s")}
  AND severity.number >= {ERROR}
GROUP BY 1, 2
ORDER BY documents DESC, service_name, severity""",
    )


def _request(of: _Of) -> Query:
    return Query(
        f"{of.route}: a request by its trace id",
        "Everything that was said of one request, in its order; asks for the trace id, 32 hexadecimal digits",
        f"""\
SELECT event_time, service_name, severity, body, attributes, spanid, event_id
FROM (
  SELECT *, json_extract_scalar(resource, '$.service.name') AS service_name,
    row_number() OVER (PARTITION BY event_id ORDER BY {_most()}) AS _copy
  FROM {of.table}
  WHERE {of.last_day}
    AND traceid = ?
)
WHERE _copy = 1
ORDER BY event_time""",
    )


def _duplicates(of: _Of) -> Query:
    return Query(
        f"{of.route}: duplicates",
        "Documents of the last 24 hours that are there more than once, and where",
        f"""\
SELECT event_id,
  count(*) AS copies,
  count(DISTINCT body) AS bodies,
  min(event_time) AS event_time,
  array_agg(DISTINCT "$path") AS objects
FROM {of.table}
WHERE {of.last_day}
  AND event_id IS NOT NULL
GROUP BY event_id
HAVING count(*) > 1
ORDER BY copies DESC, event_id
LIMIT 1000""",
    )


def _slowest(of: _Of) -> Query:
    return Query(
        f"{of.route}: slowest deliveries",
        "How long lines of each service waited until they were read, in ms; Firehose's buffers come on top",
        f"""\
SELECT service_name,
  count(*) AS documents,
  approx_percentile(waited_ms, 0.5) AS half_within_ms,
  approx_percentile(waited_ms, 0.99) AS nearly_all_within_ms,
  max(waited_ms) AS slowest_ms,
  max_by(event_id, waited_ms) AS slowest_event_id
FROM (
  SELECT json_extract_scalar(resource, '$.service.name') AS service_name, event_id,
    date_diff('millisecond', from_iso8601_timestamp(event_time), from_iso8601_timestamp(observedtimestamp))
      AS waited_ms
  FROM {of.table}
  WHERE {of.last_day}
    AND event_id IS NOT NULL
)
GROUP BY service_name
ORDER BY slowest_ms DESC""",
    )


def _unreadable(of: _Of) -> Query:
    return Query(
        f"{of.route}: lines that cannot be read",
        "Objects with lines that are no documents; there should be none",
        f"""\
SELECT "$path" AS object, count(*) AS unreadable
FROM {of.table}
WHERE {of.last_day}
  AND event_id IS NULL
GROUP BY 1
ORDER BY unreadable DESC""",
    )


def failed(deployment: Deployment) -> Query:
    """What failed on any route, with the reasons that its transformer gave."""
    # A batch that Firehose tried again gives its reasons again, and equal records have equal data.
    return Query(
        "failed records with their reasons",
        "What could not be processed or delivered in the last 24 hours, on any route, and why",
        f"""\
SELECT from_unixtime(f.arrivaltimestamp / 1e3) AS arrived,
  f.route,
  f.reason AS failed_as,
  r.reason,
  r.error,
  r.place,
  coalesce(f.errorcode, f.lasterrorcode) AS code,
  coalesce(f.errormessage, f.lasterrormessage) AS message,
  f.esindexname AS search_index,
  length(from_base64(f.rawdata)) AS bytes,
  f."$path" AS object
FROM {qualified(deployment, FAILED)} AS f
LEFT JOIN (
  SELECT route, sha256, max(reason) AS reason, max(error) AS error, max(place) AS place
  FROM {qualified(deployment, REASONS)}
  WHERE {arrived(HOURS + 2 * MARGIN_HOURS)}
  GROUP BY route, sha256
) AS r
  ON r.route = f.route
  AND r.sha256 = lower(to_hex(sha256(from_base64(f.rawdata))))
WHERE {arrived(HOURS + MARGIN_HOURS, table="f")}
ORDER BY arrived DESC
LIMIT 1000""",
    )


def _unique(deployment: Deployment, route: Route, destination: S3Destination) -> View:
    keys = tuple(Column(key.name, "string", f"of {key.field}") for key in destination.partition_by)
    told = (
        *(column for column in DOCUMENT if column.name != "severity"),
        *MADE,
        *keys,
        *TIME,
    )
    made = {
        "severity_text": "severity.text AS severity_text",
        "severity_number": "severity.number AS severity_number",
        "service_name": "json_extract_scalar(resource, '$.service.name') AS service_name",
    }
    selected = ", ".join(made.get(column.name, quoted(column.name)) for column in told)
    apart = ", ".join(quoted(name) for name in ("event_id", *(key.name for key in keys), "year", "month", "day"))
    sql = f"""\
SELECT {selected}
FROM (
  SELECT *, row_number() OVER (PARTITION BY {apart} ORDER BY {_most()}) AS _copy
  FROM {qualified(deployment, names.table(route))}
)
WHERE _copy = 1 OR event_id IS NULL"""
    return View(names.table(route) + UNIQUE, f"Documents of route {route.name}, each once", sql, told)


def _most() -> str:
    """The order in which the copy that holds the most comes first; what is there and no number counts as one line."""
    counts = (
        f"""TRY_CAST(json_extract_scalar(attributes, '$["log.record.{of}"]') AS bigint)""" for of in ("lines", "parts")
    )
    return f"coalesce({', '.join(counts)}, 1) DESC, length(body) DESC, observedtimestamp"


def qualified(deployment: Deployment, table: str) -> str:
    """A table's name in SQL, with its database."""
    return f"{quoted(names.database(deployment))}.{quoted(table)}"


def quoted(name: str) -> str:
    """A name in SQL, whatever word it is."""
    return f'"{name}"'
