"""Athena on loopback: its SQL over tables in DuckDB, and its API in front of them.

What is not proven here is what stands in tests/athena/conftest.py. The tables have the columns that are declared, and
the hidden column of an object's time, which only AWS can say that there is.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import duckdb
import sqlglot

from sluice.athena.tables import DOCUMENT, FAILED, FAILED_RECORD, TIME

HIDDEN = "$file_modified_time"
PAGE = 2


class Lake:
    """The tables of some routes, with their partition keys, and of what failed."""

    def __init__(self, database: str, routes: Mapping[str, Sequence[str]]) -> None:
        documents = [column.name for column in (*DOCUMENT, *TIME)]
        failures = [*(column.name for column in (*FAILED_RECORD, *TIME)), "route", "reason"]
        self._tables = {route: [*documents, *keys] for route, keys in routes.items()} | {FAILED: failures}
        self._database = database
        self._duck = duckdb.connect()
        self._rows: dict[tuple[str, tuple[str, ...]], list[list[Any]]] = {}
        self._duck.execute("CREATE MACRO from_base(digits, base) AS CAST('0x' || digits AS BIGINT)")
        self._duck.execute(f'CREATE SCHEMA "{database}"')
        for table, columns in self._tables.items():
            told = ", ".join(f'"{name}" VARCHAR' for name in columns)
            self._duck.execute(f'CREATE TABLE "{database}"."{table}" ({told}, "{HIDDEN}" TIMESTAMP)')

    def put(self, table: str, *, at: float, hour: float | None = None, **values: Any) -> None:
        """A row in an object that was written at a time (Unix s), in the folder of an hour, or of that time's."""
        folder = datetime.fromtimestamp(at if hour is None else hour, UTC)
        values |= {column.name: f"{folder:{form}}" for column, form in zip(TIME, ("%Y", "%m", "%d", "%H"), strict=True)}
        values[HIDDEN] = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
        told = {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in values.items()}
        self._rows.setdefault((table, tuple(told)), []).append(list(told.values()))

    def ask(self, sql: str) -> Iterator[dict[str, Any]]:
        """As Athena's API has them: every value as text."""
        for (table, told), rows in self._rows.items():  # one by one they take DuckDB milliseconds each
            columns, holes = ", ".join(f'"{name}"' for name in told), ", ".join("?" * len(told))
            values = ", ".join([f"({holes})"] * len(rows))
            flat = [value for row in rows for value in row]
            self._duck.execute(f'INSERT INTO "{self._database}"."{table}" ({columns}) VALUES {values}', flat)
        self._rows.clear()
        tree = sqlglot.parse_one(sql, read="athena")
        found = self._duck.execute(tree.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE))
        columns = [column[0] for column in found.description]
        for row in found.fetchall():
            yield {name: None if value is None else str(value) for name, value in zip(columns, row, strict=True)}

    def clear(self) -> None:
        self._rows.clear()
        for table in self._tables:
            self._duck.execute(f'DELETE FROM "{self._database}"."{table}"')


class AthenaApi:
    """Three of Athena's actions over a lake: https://docs.aws.amazon.com/athena/latest/APIReference/Welcome.html.

    A query is running when it is first asked about, and over the second time; answers come in pages of `PAGE` rows.
    One that names a word of `refused` fails as a query does whose column is not there. `asked` are all queries.
    """

    def __init__(self, lake: Lake, *, workgroup: str, refused: str | None = None) -> None:
        self.asked: list[str] = []
        self.actions = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._state,
            "GetQueryResults": self._results,
        }
        self._lake, self._workgroup, self._refused = lake, workgroup, refused
        self._polled: set[str] = set()
        self._answers: dict[str, list[list[Any]]] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                action = self.headers["X-Amz-Target"].removeprefix("AmazonAthena.")
                answer = json.dumps(api.actions[action](told)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _start(self, told: dict[str, Any]) -> dict[str, Any]:
        assert told["WorkGroup"] == self._workgroup
        self.asked.append(told["QueryString"])
        return {"QueryExecutionId": str(len(self.asked) - 1)}

    def _state(self, told: dict[str, Any]) -> dict[str, Any]:
        query = told["QueryExecutionId"]
        status: dict[str, Any] = {"State": "SUCCEEDED" if query in self._polled else "RUNNING"}
        self._polled.add(query)
        if self._refused is not None and self._refused in self.asked[int(query)]:
            says = f"COLUMN_NOT_FOUND: line 1:1: Column '{self._refused}' cannot be resolved"
            status = {"State": "FAILED", "StateChangeReason": says}
        return {"QueryExecution": {"QueryExecutionId": query, "Status": status}}

    def _results(self, told: dict[str, Any]) -> dict[str, Any]:
        rows = self._rows(told["QueryExecutionId"])
        at = int(told.get("NextToken", 0))
        page = [
            {"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows[at:][:PAGE]
        ]
        return {"ResultSet": {"Rows": page}} | ({"NextToken": str(at + PAGE)} if at + PAGE < len(rows) else {})

    def _rows(self, query: str) -> list[list[Any]]:
        """The columns' names, and the rows; asked once, for a second time they may be in another order."""
        if query not in self._answers:
            sql = self.asked[int(query)]
            names = [each.alias_or_name for each in sqlglot.parse_one(sql, read="athena").selects]
            self._answers[query] = [names, *([row[name] for name in names] for row in self._lake.ask(sql))]
        return self._answers[query]
