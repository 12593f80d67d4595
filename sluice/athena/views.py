"""A view as Athena keeps it in the Glue catalog: JSON with its SQL and Trino's types, in base64, in a comment.

AWS documents CREATE VIEW and not what it leaves behind; the form is Trino's own, from
https://github.com/trinodb/trino/blob/master/plugin/trino-hive/src/main/java/io/trino/plugin/hive/ViewReaderUtil.java
and https://stackoverflow.com/a/56347331. A column whose type differs from its query's makes a view stale, upon which
Athena refuses it: so views have no columns but texts and whole numbers.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from sluice.athena.queries import View

CATALOG: Final = "awsdatacatalog"
EXPANDED: Final = "/* Presto View */"
PARAMETERS: Final[Mapping[str, str]] = {"presto_view": "true", "comment": "Presto View"}
TYPES: Final[Mapping[str, str]] = {"string": "varchar", "int": "integer"}
"""Trino's names of the types that a view's columns have, by Hive's."""


def definition(view: View, *, database: str) -> str:
    """What a Glue table of type VIRTUAL_VIEW has as its `ViewOriginalText`."""
    told = {
        "originalSql": view.sql,
        "catalog": CATALOG,
        "schema": database,
        "columns": [{"name": column.name, "type": TYPES[column.type]} for column in view.columns],
    }
    return f"/* Presto View: {b64encode(json.dumps(told).encode()).decode()} */"
