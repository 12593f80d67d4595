"""Files of documents, gzipped lines or Parquet, asked with DuckDB.

DuckDB does what goes by columns: it unpacks the files on all cores, leaves out lines that are not in the time range or
lack a run of letters and digits that a match must have, and keeps the first of what is left in order. `matching`
decides on those. Should it refuse so many that an answer comes up short, the files are gone through again for the next
ones, four times as many each time. Memory is bounded (a gibibyte, beyond which DuckDB uses the folder).

DuckDB may read that folder and nothing else, loads no extensions, and is told values as parameters only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from query.documents import Found, Notes, Question, found_in
from query.fields import LEVELS, SEVERITY, level_number
from query.matching import decider, fold
from query.terms import AtLeast, Between, Clause, Compare, Field, Value, Word
from sluice.athena.tables import KEYS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one line; a document is a megabyte."""
_FIRST_PAGE: Final = 500
_RUN: Final = re.compile(r"[a-z0-9]+", re.ASCII)
_ORDER: Final = {True: "ASC", False: "DESC"}
_TEXTS: Final = ("resource", "attributes")
"""Columns of Parquet that hold JSON as text."""
_READERS: Final = {
    "gzip": """SELECT "json"::VARCHAR AS line, "json"->>'$."@timestamp"' AS time, "json"->>'$.event_id' AS id
        FROM read_ndjson_objects($gzip, ignore_errors=true, compression='gzip', maximum_object_size=$most)""",
    "plain": """SELECT "json"::VARCHAR AS line, "json"->>'$."@timestamp"' AS time, "json"->>'$.event_id' AS id
        FROM read_ndjson_objects($plain, ignore_errors=true, compression='none', maximum_object_size=$most)""",
    "parquet": """SELECT to_json(columns_of_it)::VARCHAR AS line, event_time AS time, event_id AS id
        FROM read_parquet($parquet, union_by_name=true) AS columns_of_it""",
}


class Lines:
    """Documents in files. A file that cannot be read is left out, and said so in `notes`."""

    def __init__(self, files: Sequence[Path], *, folder: Path, notes: Notes) -> None:
        self._folder, self._notes = folder, notes
        self._files: dict[str, list[str]] = {"gzip": [], "plain": [], "parquet": []}
        for file in files:
            self._files[_kind(file)].append(str(file))
        self._opened: DuckDBPyConnection | None = None
        self._checked = False

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End DuckDB."""
        if self._opened is not None:
            self._opened.close()

    def find(self, question: Question) -> Iterator[Found]:
        """The documents that match, in order."""
        decides = decider(question.query)
        narrowing, values = _narrowing(question.query.clauses)
        page = max(_FIRST_PAGE, question.limit * 2) if question.limit is not None else None
        skip = 0
        while True:
            count = 0
            for line in self._select(question, narrowing, values, limit=page, offset=skip):
                count += 1
                document = _document(line)
                if document is not None and decides(document):
                    yield found_in(document)
            if page is None or count < page:
                return
            skip += page
            page *= 4

    def count(self, question: Question) -> int:
        """How many documents there are in the time range."""
        rows = self._run("SELECT count(*) FROM ({}) WHERE time >= $start AND time < $end", question, {})
        return int(rows.fetchall()[0][0]) if rows is not None else 0

    def all(self) -> Iterator[dict[str, Any]]:
        """Every document, in no order."""
        rows = self._run("SELECT line FROM ({})", None, {})
        while rows is not None and (some := rows.fetchmany(1000)):
            for (line,) in some:
                document = _document(line)
                if document is not None:
                    yield document

    def _select(
        self, question: Question, narrowing: Sequence[str], values: dict[str, str], *, limit: int | None, offset: int
    ) -> Iterator[str]:
        order = _ORDER[question.oldest_first]
        conditions = " AND ".join(("time >= $start AND time < $end", *narrowing))
        sql = f"SELECT line FROM ({{}}) WHERE {conditions} ORDER BY time {order}, id {order}"  # noqa: S608 - ours
        told: dict[str, object] = dict(values)
        if limit is not None:
            sql += " LIMIT $limit OFFSET $offset"
            told |= {"limit": limit, "offset": offset}
        rows = self._run(sql, question, told)
        while rows is not None and (some := rows.fetchmany(1000)):
            for (line,) in some:
                yield line

    def _run(self, sql: str, question: Question | None, values: dict[str, object]) -> DuckDBPyConnection | None:
        """Run a query whose `{}` is all lines; None when there are no files."""
        if not self._checked:
            self._leave_out_broken()
        kinds = [kind for kind, files in self._files.items() if files]
        if not kinds:
            return None
        told = {**values, **{kind: self._files[kind] for kind in kinds}}
        if kinds != ["parquet"]:
            told["most"] = _MOST_BYTES
        if question is not None:
            told |= {"start": question.range.start, "end": question.range.end}
        return self._duckdb().execute(sql.format(" UNION ALL ".join(_READERS[kind] for kind in kinds)), told)

    def _leave_out_broken(self) -> None:
        """Find out which files cannot be read: one that is broken would end every query."""
        import duckdb  # noqa: PLC0415 - `sluice --help` need not load it

        for kind, files in self._files.items():
            if files and not self._reads(kind, files, duckdb.Error):
                good = [file for file in files if self._reads(kind, [file], duckdb.Error)]
                self._notes.add(f"{len(files) - len(good)} of {len(files)} objects could not be read, and are left out")
                self._files[kind] = good
        self._checked = True

    def _reads(self, kind: str, files: list[str], failures: type[Exception]) -> bool:
        told: dict[str, object] = {kind: files} if kind == "parquet" else {kind: files, "most": _MOST_BYTES}
        try:
            self._duckdb().execute(f"SELECT count(line) FROM ({_READERS[kind]})", told).fetchall()  # noqa: S608 - ours
        except failures:
            return False
        return True

    def _duckdb(self) -> DuckDBPyConnection:
        if self._opened is None:
            import duckdb  # noqa: PLC0415

            settings: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": "1GB",
                "temp_directory": str(self._folder / "spilled"),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "preserve_insertion_order": "false",
            }
            self._opened = duckdb.connect(":memory:", config=settings)
            folder = str(self._folder).replace("'", "''")
            self._opened.execute(f"SET allowed_directories=['{folder}/']")
            self._opened.execute("SET enable_external_access=false")
        return self._opened


def _kind(file: Path) -> str:
    with file.open("rb") as opened:
        head = opened.read(4)
    return "gzip" if head.startswith(_GZIP) else "parquet" if head == _PARQUET else "plain"


def _document(line: object) -> dict[str, Any] | None:
    """A line's document; the columns of Parquet are put back under their keys."""
    try:
        told = orjson.loads(line) if isinstance(line, str) else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict):
        return None
    if "event_time" not in told:
        return told
    named = {KEYS.get(name, name): value for name, value in told.items() if value is not None}
    for name in _TEXTS:
        if isinstance(named.get(name), str):
            try:
                named[name] = orjson.loads(named[name])
            except orjson.JSONDecodeError:
                continue
    return named


def _narrowing(clauses: Sequence[Clause]) -> tuple[list[str], dict[str, str]]:
    """Conditions that every match fulfils, and their parameters: runs of letters and digits that its line has."""
    conditions: list[str] = []
    values: dict[str, str] = {}

    def contains(text: str) -> str:
        runs = sorted(set(_RUN.findall(fold(text))), key=len, reverse=True)[:4]
        found = []
        for run in runs:
            name = f"v{len(values)}"
            values[name] = run
            found.append(f"contains(lower(line), ${name})")
        return " AND ".join(found)

    for clause in clauses:
        if clause.negated:
            continue
        before = len(values)
        condition = _condition(clause, contains)
        if condition:
            conditions.append(condition)
        else:  # DuckDB takes no parameter that is not used
            values = dict(islice(values.items(), before))
    return conditions, values


def _condition(clause: Clause, contains: Any) -> str:  # noqa: ANN401
    match clause.term:
        case Word(text):
            return str(contains(text))
        case AtLeast(word):
            return f"({_least(LEVELS[word])} OR {contains(word)})"
        case Field(name, values) if name not in SEVERITY:
            return _any_value(values, contains)
        case Compare(name, ">=" | ">", limit) if name in SEVERITY:
            return _least(level_number(limit) or 0)
        case Between(name, low, _) if name in SEVERITY:
            return _least(level_number(low) or 0)
        case _:
            return ""


def _any_value(values: Sequence[Value], contains: Any) -> str:  # noqa: ANN401
    found = [contains(" ".join(value.pieces)) for value in values]
    return f"({' OR '.join(f'({each})' for each in found)})" if all(found) else ""


def _least(number: int) -> str:
    """The document is at least so severe; the number is ours."""
    return f"coalesce(TRY_CAST(line->>'$.severity.number' AS INTEGER) >= {number:d}, false)"
