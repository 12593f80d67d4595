"""Athena by DuckDB: the tables as they are declared, over a folder in place of the bucket, asked in Athena's own SQL.

What stands in for what, and so what is not proven here:

- The SQL is Athena's, translated by sqlglot. Where the two differ beyond what sqlglot knows, only AWS tells.
- A table's files, columns, keys and folders are read from its declaration: a file is found by its
  `storage.location.template`, its partitions are the values there, and a folder that is not projected is not read.
- OpenX's SerDe is DuckDB's reader of JSON with the settings that decide what is lost: `mapping.*`, `case.insensitive`
  and `ignore.malformed.json`. That an object in a text column is its JSON text, Trino says of its own OpenX SerDe.
- Parquet is written by DuckDB from the same lines, with the table's columns: that shows the columns and the queries,
  and not that Firehose's conversion gives the same.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from sluice import names
from sluice.athena.queries import qualified, queries, views
from sluice.athena.tables import KEYS, Table, tables
from sluice.model import Deployment

BUCKET = "bucket"
NOW = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
TYPES = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT"}
PLACE = re.compile(r"\$\{(\w+)\}")


@dataclass
class Lake:
    """A folder that Firehose and the transformer write into as if it were the bucket."""

    folder: Path
    encodings: dict[str, str | None] = field(default_factory=dict)

    def put_object(self, *, bucket: str, key: str, body: bytes, encoding: str | None = None) -> None:
        file = self.folder / bucket / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        self.encodings[key] = encoding

    def put_lines(self, folder: str, lines: Iterable[object], *, name: str = "object.json") -> None:
        """Write documents, or what is no document, as Firehose would; the folder is below the bucket."""
        told = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        self.put_object(bucket=BUCKET, key=f"{folder}{name}", body=told.encode())

    def written(self) -> list[str]:
        """The objects' keys."""
        root = self.folder / BUCKET
        return sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())

    def open(self, deployment: Deployment, *, now: datetime = NOW) -> "Catalog":
        return Catalog(self, deployment, now=now)


class Catalog:
    """An environment's tables and views over a lake."""

    def __init__(self, lake: Lake, deployment: Deployment, *, now: datetime) -> None:
        self.deployment = deployment
        self._lake = lake
        self._now = now
        self._duck = duckdb.connect()
        self._duck.execute(f'CREATE SCHEMA "{names.database(deployment)}"')
        self.tables = {table.name: table for table in tables(deployment, bucket=BUCKET)}
        for table in self.tables.values():
            self._duck.execute(f"CREATE VIEW {qualified(deployment, table.name)} AS {self._reading(table)}")
        for view in views(deployment):
            self._duck.execute(f"CREATE VIEW {qualified(deployment, view.name)} AS {self._translated(view.sql)}")

    def ask(self, sql: str, *values: str) -> list[dict]:
        """The rows of a question in Athena's SQL."""
        found = self._duck.execute(self._translated(sql), list(values))
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    def ask_named(self, name: str, *values: str) -> list[dict]:
        """The rows of a named query."""
        [query] = [query for query in queries(self.deployment) if query.name == name]
        return self.ask(query.sql, *values)

    def convert(self, table: str) -> None:
        """Write a table's lines once more, as Parquet with its columns, beside them."""
        declared = self.tables[table]
        root = self._lake.folder / BUCKET
        for key in self._lake.written():
            if not re.fullmatch(self._pattern(declared), str(root / key)) or key.endswith(".parquet"):
                continue
            columns = ", ".join(f'"{column.name}"' for column in declared.columns)
            lines = self._lines(declared, str(root / key))
            self._duck.execute(
                f"COPY (SELECT {columns} FROM ({lines})) TO '{root / key}.parquet' (FORMAT parquet, COMPRESSION snappy)"
            )

    def _translated(self, sql: str) -> str:
        """Athena's SQL as DuckDB's, at this time; its times with a zone need an extension, and Athena's are in UTC."""
        now = exp.cast(exp.Literal.string(f"{self._now:%Y-%m-%d %H:%M:%S}"), "timestamp")

        def without_zone(node: exp.Expression) -> exp.Expression:
            if isinstance(node, exp.CurrentTimestamp):
                return now.copy()
            if isinstance(node, exp.FromISO8601Timestamp):
                return exp.cast(node.this.transform(without_zone), "timestamp")
            if isinstance(node, exp.UnixToTime):
                return exp.func("make_timestamp", exp.cast(exp.paren(node.this) * 1_000_000, "bigint"))
            if isinstance(node, exp.Length) and isinstance(node.this, exp.FromBase64):
                return exp.func("octet_length", node.this)
            return node

        tree = sqlglot.parse_one(sql, read="athena").transform(without_zone)
        return tree.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)

    def types(self, name: str) -> dict[str, str]:
        found = self._duck.execute(f"DESCRIBE {qualified(self.deployment, name)}").fetchall()
        return {row[0]: row[1] for row in found}

    def _reading(self, table: Table) -> str:
        """A query that reads what Athena would read of the table, and says where each row comes from."""
        form = table.form
        ending = ".parquet" if form.classification == "parquet" else ""
        files = self._below(table, "*") + "*" + ending
        columns = [column.name for column in table.columns]
        if not any(re.fullmatch(self._pattern(table), str(file)) for file in self._files(ending)):
            every = [f'CAST(NULL AS {kind(column.type)}) AS "{column.name}"' for column in table.columns]
            every += [f"'' AS \"{column.name}\"" for column in table.partitions]
            return f"SELECT {', '.join(every)}, '' AS \"$path\" WHERE false"
        lines = (
            f"SELECT {', '.join(columns)}, filename FROM read_parquet('{files}', filename = true)"
            if form.classification == "parquet"
            else self._lines(table, files)
        )
        folders = ", ".join(f"'{column.name}'" for column in table.partitions)
        of = f"regexp_extract(filename, '^{self._pattern(table)}$', [{folders}])"
        parts = ", ".join(f"part['{column.name}'] AS \"{column.name}\"" for column in table.partitions)
        read = ", ".join(f'"{name}"' for name in columns)
        inner = f"SELECT {read}, filename, {of} AS part FROM ({lines})"
        return f'SELECT {read}, {parts}, filename AS "$path" FROM ({inner}) WHERE {self._projected(table)}'

    def _files(self, ending: str) -> list[Path]:
        return [file for file in (self._lake.folder / BUCKET).rglob(f"*{ending}") if file.is_file()]

    def _lines(self, table: Table, files: str) -> str:
        """The table's columns of JSON lines, by the settings of its SerDe."""
        settings = table.form.settings
        forgives = settings.get("ignore.malformed.json", "false")
        source = (
            f"read_json_objects('{files}', format = 'newline_delimited', ignore_errors = {forgives}, filename = true)"
        )
        if table.form.classification == "parquet":  # what Firehose converts, by the keys that it is told
            settings = {"case.insensitive": "false", **{f"mapping.{name}": key for name, key in KEYS.items()}}
        there = {
            row[0] for row in self._duck.execute(f"SELECT DISTINCT unnest(json_keys(json)) FROM {source}").fetchall()
        }
        picked = ", ".join(f'{self._value(column, settings, there)} AS "{column.name}"' for column in table.columns)
        return f"SELECT {picked}, filename FROM {source}"

    def _value(self, column, settings, there: set[str]) -> str:
        wanted = settings.get(f"mapping.{column.name}", column.name)
        folds = settings.get("case.insensitive", "true") == "true"
        fitting = sorted(key for key in there if (key.lower() == wanted.lower() if folds else key == wanted))
        if not fitting:
            return f"CAST(NULL AS {kind(column.type)})"
        if column.type.startswith("struct"):
            shape = json.dumps(dict(re.findall(r"(\w+):(\w+)", column.type)))
            shape = shape.replace('"string"', '"VARCHAR"').replace('"int"', '"INTEGER"')
            return f"json_transform(json_extract(json, '$.\"{fitting[0]}\"'), '{shape}')"
        texts = ", ".join(f"json_extract_string(json, '$.\"{key}\"')" for key in fitting)
        return f"TRY_CAST(coalesce({texts}) AS {kind(column.type)})"

    def _below(self, table: Table, each: str) -> str:
        template = table.parameters["storage.location.template"].removeprefix("s3:/")
        return str(self._lake.folder) + PLACE.sub(lambda _: each, template)

    def _pattern(self, table: Table) -> str:
        return self._below(table, "([^/]*)") + "[^/]*"

    def _projected(self, table: Table) -> str:
        """Which folders the table's rules know."""
        rules = table.parameters
        known = ["true"]
        for column in table.partitions:
            match rules[f"projection.{column.name}.type"]:
                case "enum":
                    values = rules[f"projection.{column.name}.values"].split(",")
                    known.append(f"part['{column.name}'] IN ({', '.join(repr(value) for value in values)})")
                case "integer":
                    first, last = map(int, rules[f"projection.{column.name}.range"].split(","))
                    digits = int(rules[f"projection.{column.name}.digits"])
                    values = ", ".join(f"'{number:0{digits}}'" for number in range(first, last + 1))
                    known.append(f"part['{column.name}'] IN ({values})")
                case "date":
                    now = self._now.year
                    [back] = re.findall(r"NOW-(\d+)YEARS,NOW", rules[f"projection.{column.name}.range"])
                    known.append(f"part['{column.name}'] BETWEEN '{now - int(back)}' AND '{now}'")
                case "injected":
                    pass
        return " AND ".join(known)


def kind(hive: str) -> str:
    if hive.startswith("struct"):
        members = ", ".join(f"{name} {TYPES[of]}" for name, of in re.findall(r"(\w+):(\w+)", hive))
        return f"STRUCT({members})"
    return TYPES[hive]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)
