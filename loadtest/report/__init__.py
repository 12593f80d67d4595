"""A result for people: a table in the terminal, an HTML page, a file that is read again, and two of them compared."""

import json
from pathlib import Path
from typing import Final

from loadtest.report.comparison import Comparison, Difference, compare
from loadtest.report.page import page
from loadtest.report.terminal import summary
from loadtest.tally.result import Result

__all__ = ["Comparison", "Difference", "compare", "page", "read", "summary", "write"]

JSON_NAME: Final = "report.json"
PAGE_NAME: Final = "report.html"


def write(result: Result, folder: Path) -> tuple[Path, Path]:
    """Write report.json and report.html into a folder, which is made if need be; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    told, drawn = folder / JSON_NAME, folder / PAGE_NAME
    told.write_text(json.dumps(result.to_json(), indent=1) + "\n")
    drawn.write_text(page(result))
    return told, drawn


def read(file: Path) -> Result:
    """The result that a report.json, or the folder of one, tells of.

    Raises ReportVersionError for one of another version, ValueError for another file, OSError if it cannot be read.
    """
    file = file / JSON_NAME if file.is_dir() else file
    try:
        return Result.from_json(json.loads(file.read_bytes()))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is no report of a load test: {type(error).__name__}: {error}") from error
