"""What a long run says while it works: one line per step, with a spinner on a terminal and its time at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

_SPINNER = "dots"


class Step:
    """A step that is under way."""

    def __init__(self, title: str, status: Status | None) -> None:
        self._title = title
        self._status = status
        self._result = ""

    def detail(self, text: str) -> None:
        """Show what it is doing at this moment; gone when the next detail comes."""
        if self._status is not None:
            self._status.update(f"{escape(self._title)} [dim]{escape(text)}[/dim]")

    def result(self, text: str) -> None:
        """What the finished line says behind the title."""
        self._result = text

    @property
    def line(self) -> str:
        """The finished line, in rich's markup."""
        return f"{escape(self._title)} [dim]{escape(self._result)}[/dim]" if self._result else escape(self._title)


class Steps:
    """The steps of one run, on standard error so that standard output stays the result's."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """One step; its line stays, marked done with its seconds, or failed."""
        began = time.monotonic()
        live = self._console.is_terminal and not self._console.quiet
        status = self._console.status(escape(title), spinner=_SPINNER) if live else None
        step = Step(title, status)
        if status is not None:
            status.start()
        mark = "[red]✗[/red]"
        try:
            yield step
            mark = "[green]✓[/green]"
        finally:
            if status is not None:
                status.stop()
            self._console.print(f"{mark} {step.line} [dim]{time.monotonic() - began:.1f} s[/dim]", highlight=False)
