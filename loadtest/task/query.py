"""Athena, asked: a query's rows, once it has run.

https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html: every value is text, and the first row
holds the columns' names. The workgroup says where answers are kept, and how much a query may read.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

LONGEST_SECONDS: Final = 1800.0
"""Athena's own limit of a query."""
_POLL_SECONDS: Final = 1.0
_OVER: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})

Row = dict[str, str | None]
"""A row by its columns' names."""


class QueryError(Exception):
    """A query did not succeed; says what Athena says."""


class Athena:
    """A workgroup."""

    def __init__(self, client: "AthenaClient", *, workgroup: str, poll_seconds: float = _POLL_SECONDS) -> None:
        self._client, self._workgroup, self._poll_seconds = client, workgroup, poll_seconds

    def ask(self, sql: str) -> list[Row]:
        """The rows. Raises QueryError, and boto3's errors."""
        query = self._client.start_query_execution(QueryString=sql, WorkGroup=self._workgroup)["QueryExecutionId"]
        self._wait_for(query)
        rows = self._rows(query)
        names = [name or "" for name in next(rows)]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _wait_for(self, query: str) -> None:
        deadline = time.monotonic() + LONGEST_SECONDS
        while True:
            told = self._client.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
            if told["State"] == "SUCCEEDED":
                return
            if told["State"] in _OVER or time.monotonic() > deadline:
                raise QueryError(f"query {query} {told['State']}: {told.get('StateChangeReason', 'no reason given')}")
            time.sleep(self._poll_seconds)

    def _rows(self, query: str) -> Iterator[list[str | None]]:
        for page in self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query):
            for row in page["ResultSet"]["Rows"]:
                yield [value.get("VarCharValue") for value in row["Data"]]
