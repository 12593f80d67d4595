"""The account by SQL: what Athena finds of a run in the tables over S3 (sluice.athena), for runs too large to download.

One query for each route to S3, and one for what failed. A query reads the folders of the run's hours, finds markers in
`body` and `attributes`, and answers, for each source and bucket of latency, how many messages, copies, copies under
another id, and which numbers are missing between those that are there: some thousand rows, whatever the load. What was
sent and acknowledged the journals say (`account_from_rows`), so the result is the tally's, as far as SQL can know:

- the order of arrival is not kept, so `reordered` is None, and of several ids of one message the one that most copies
  have passes for the first;
- content is not compared: `altered` is None;
- what joined documents repeat under another id counts as an ordinary copy;
- lines that are no JSON have no columns, so they are not counted (the route's named query finds them);
- latencies are not told over time.

Latency is from when a message was due to when its object was written, `"$file_modified_time"`, a hidden column of
Trino's (https://trino.io/docs/current/connector/hive.html#metadata-columns) that AWS's pages do not name; without it
(`latency=False`) everything else is told.

Cost: Athena's price of reading the objects of those hours once, 5 USD a TB. What is put into the SQL are numbers, and
names whose form the configuration was checked for.
"""

# ruff: noqa: S608

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from loadtest.marker import ALPHABET, HEAD, LENGTH, RUN_LETTERS, SEQUENCE_LETTERS, SOURCE_LETTERS, TIME_LETTERS, letters
from loadtest.plan import Plan
from loadtest.tally.latency import BUCKETS, PER_OCTAVE

_HOUR: Final = timedelta(hours=1)
_DIGITS: Final = "0123456789abcdef"
_SOURCE_AT: Final = 1
_SEQUENCE_AT: Final = _SOURCE_AT + SOURCE_LETTERS
_TIME_AT: Final = _SEQUENCE_AT + SEQUENCE_LETTERS


def delivered_sql(
    table: str,
    *,
    route: str,
    plan: Plan,
    began: float,
    until: float,
    latency: bool = True,
) -> str:
    """What of a run lies in a route's table, in the folders of the hours between two times (Unix s).

    `table` is its name in SQL, with its database's (`sluice.athena.queries.qualified`). Columns: `route`, `source`,
    `ours` (1; 0 for numbers that the plan does not have), `bucket`, `delivered`, `copies`, `otherwise`, `first`,
    `last`, `slowest` (ms), `gaps` ("from-end …", half open) and `again` ("number:further copies …").
    """
    written = 'to_unixtime("$file_modified_time")' if latency else "CAST(NULL AS double)"
    bucket = f"least(CAST(floor(log2(greatest(waited, 1.0)) * {PER_OCTAVE}) AS bigint), {BUCKETS - 1})"
    return f"""\
SELECT {_text(route)} AS route, source, ours, bucket,
  count(*) AS delivered,
  sum(copies - 1 - otherwise) AS copies,
  sum(otherwise) AS otherwise,
  min(sequence) AS first,
  max(sequence) AS last,
  max(waited) AS slowest,
  array_join(array_agg(CAST(before + 1 AS varchar) || '-' || CAST(sequence AS varchar))
    FILTER (WHERE sequence > before + 1), ' ') AS gaps,
  array_join(array_agg(CAST(sequence AS varchar) || ':' || CAST(copies - 1 AS varchar))
    FILTER (WHERE copies > 1), ' ') AS again
FROM (
  SELECT source, sequence, copies, otherwise, waited, {bucket} AS bucket,
    IF(sequence < {_counts(plan)}, 1, 0) AS ours,
    lag(sequence) OVER (PARTITION BY source ORDER BY sequence) AS before
  FROM (
    SELECT source, sequence,
      sum(documents) AS copies,
      coalesce(sum(documents) FILTER (WHERE own IS NOT NULL) - max(documents) FILTER (WHERE own IS NOT NULL), 0)
        AS otherwise,
      min(waited) AS waited
    FROM (
      SELECT source, sequence, own, count(*) AS documents,
        greatest(min(written * 1000.0 - due / 1000000.0), 0.0) AS waited
      FROM (
        SELECT {_number(_SOURCE_AT, SOURCE_LETTERS)} AS source,
          {_number(_SEQUENCE_AT, SEQUENCE_LETTERS)} AS sequence,
          {_number(_TIME_AT, TIME_LETTERS)} AS due,
          IF(marker = element_at(markers, 1), event_id) AS own,
          written
        FROM (
          SELECT event_id, {written} AS written,
            {_markers(plan, "concat(coalesce(body, ''), ' ', coalesce(attributes, ''))")} AS markers
          FROM {table}
          WHERE {hours(began, until)}
        )
        CROSS JOIN UNNEST(array_distinct(markers)) AS found(marker)
      )
      GROUP BY source, sequence, own
    )
    GROUP BY source, sequence
  )
)
GROUP BY source, ours, bucket"""


def failed_sql(table: str, *, plan: Plan, began: float, until: float) -> str:
    """What of a run lies in the failure store: `route`, `reason`, `source`, and ranges `first` to `end`, half open."""
    return f"""\
SELECT route, reason, source, min(sequence) AS first, max(sequence) + 1 AS "end"
FROM (
  SELECT route, reason, source, sequence,
    sequence - row_number() OVER (PARTITION BY route, reason, source ORDER BY sequence) AS island
  FROM (
    SELECT DISTINCT route, reason,
      {_number(_SOURCE_AT, SOURCE_LETTERS)} AS source,
      {_number(_SEQUENCE_AT, SEQUENCE_LETTERS)} AS sequence
    FROM (
      SELECT route, reason, {_markers(plan, "from_utf8(from_base64(rawdata))")} AS markers
      FROM {table}
      WHERE {hours(began, until)}
    )
    CROSS JOIN UNNEST(markers) AS found(marker)
  )
)
GROUP BY route, reason, source, island"""


def hours(began: float, until: float) -> str:
    """The condition that reads the folders of the hours from one time to another (Unix s), and one on either side.

    The first line says exactly which; the others keep Athena from going through all years, months and days for them.
    """
    every = list(_hours(began, until))
    first, last = (f"{every[at]:%Y%m%d%H}" for at in (0, -1))
    condition = f"year || month || day || hour BETWEEN {_text(first)} AND {_text(last)}"
    for name, form in (("year", "%Y"), ("month", "%m"), ("day", "%d")):
        values = dict.fromkeys(f"{each:{form}}" for each in every)
        condition += f"\n      AND {name} IN ({', '.join(map(_text, values))})"
    return condition


def _hours(began: float, until: float) -> Iterator[datetime]:
    # An object lies in the hour of its oldest record; the clocks of senders and Firehose may differ.
    at = datetime.fromtimestamp(began, UTC).replace(minute=0, second=0, microsecond=0) - _HOUR
    while at.timestamp() <= max(until, began) + _HOUR.total_seconds():
        yield at
        at += _HOUR


def _counts(plan: Plan) -> str:
    """How many messages a source has: those of a load stand together, and each has as many as the others."""
    loads: dict[str, tuple[int, int]] = {}
    for source in plan:
        first, _ = loads.get(source.load.name, (source.number, 0))
        loads[source.load.name] = first, source.number
    cases = (
        f"WHEN source BETWEEN {first} AND {last} THEN {plan.count(plan.sources[first])}"
        for first, last in loads.values()
    )
    return f"CASE {' '.join(cases)} ELSE 0 END"


def _markers(plan: Plan, text: str) -> str:
    """Every marker of the run in a text, as an array of what stands behind the run."""
    head = HEAD.decode() + letters(plan.run, RUN_LETTERS).decode()
    return f"regexp_extract_all({text}, '{head}([a-p]{{{LENGTH - len(head)}}})', 1)"


def _number(at: int, length: int) -> str:
    """The number that some letters of a marker stand for."""
    return f"from_base(translate(substr(marker, {at}, {length}), '{ALPHABET.decode()}', '{_DIGITS}'), 16)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
