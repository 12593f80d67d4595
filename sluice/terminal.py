"""How every command talks: problems on standard error with exit status 2, results on standard output."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from sluice.problems import ConfigError, Problem

FOUND_WRONG: Final = 1
USAGE: Final = 2


@contextmanager
def told(*, as_json: bool = False) -> Iterator[None]:
    """Configuration errors become text, or JSON for a machine, and exit status 2."""
    try:
        yield
    except ConfigError as error:
        if as_json:
            print_json({"problems": as_data(error.problems)})
        else:
            err = Console(stderr=True, soft_wrap=True)
            show(err, error.problems, colour="red")
            err.print(f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}; nothing was changed")
        raise typer.Exit(USAGE) from None


def as_data(problems: Iterable[Problem]) -> list[dict[str, object]]:
    """Problems for a machine."""
    keys = ("file", "line", "key", "value", "message", "remedy")
    return [{key: getattr(problem, key) for key in keys} for problem in problems]


def show(out: Console, problems: Iterable[Problem], *, colour: str) -> None:
    """Problems for people: the place and what is wrong in a colour, the remedy below."""
    for problem in problems:
        place, _, remedy = str(problem).partition("\n")
        out.print(f"[{colour}]{escape(place)}[/{colour}]\n[dim]{escape(remedy)}[/dim]", highlight=False)


def refuse(message: str) -> NoReturn:
    """End with a message and exit status 2: the usage is wrong."""
    typer.echo(f"sluice: {message}", err=True)
    raise typer.Exit(USAGE)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
