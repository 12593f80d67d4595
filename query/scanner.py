"""Reading a query from left to right, and saying where it cannot be read."""

import re
from typing import Final, NoReturn

from query.terms import QueryError

MAX_LENGTH: Final = 2000
_ESCAPED: Final = {'"': '"', "\\": "\\"}


class Scanner:
    """A text and a place in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def ended(self) -> bool:
        """Whether all of it is read."""
        return self.at >= len(self.text)

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> bool:
        """Step over a text if it is what comes next."""
        found = self.text.startswith(expected, self.at)
        self.at += len(expected) if found else 0
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What a pattern finds here, without stepping over it."""
        return pattern.match(self.text, self.at)

    def skip_space(self) -> bool:
        """Step over white space; whether there is something behind it."""
        while not self.ended and self.peek().isspace():
            self.at += 1
        return not self.ended

    def bare(self, until: str = "") -> str:
        """Step over a word that is not quoted: up to white space, or one of some characters."""
        start = self.at
        while not self.ended and not self.peek().isspace() and self.peek() not in until:
            if self.peek() == '"' and self.at > start:
                self.fail("a quote inside a word", 'quote all of it: "like this"', start)
            self.at += 1
        return self.text[start : self.at]

    def quoted(self, *, inside: bool = False) -> str:
        r"""Step over a quoted text, in which `\"` and `\\` are a quote and a backslash; `inside` of a list.

        Raises:
            QueryError: it has no end, is empty, or goes on behind its end.
        """
        start = self.at
        self.at += 1
        found: list[str] = []
        while self.peek() != '"':
            if self.ended:
                self.fail("the quote has no end", 'close it: "like this"', start)
            following = self.text[self.at + 1 : self.at + 2]
            escaped = self.peek() == "\\" and following in _ESCAPED and following != ""
            found.append(following if escaped else self.peek())
            self.at += 2 if escaped else 1
        self.at += 1
        if not found:
            self.fail("nothing between the quotes", 'write "what to find"', start)
        if not inside:
            self.expect_end_of_word()
        return "".join(found)

    def expect_end_of_word(self) -> None:
        """Fail if something follows without a space."""
        if not self.ended and not self.peek().isspace():
            self.fail("something follows without a space", "put a space before it", self.at)

    def fail(self, message: str, remedy: str, start: int) -> NoReturn:
        """Say that what begins at `start` and was read so far is wrong."""
        raise QueryError(message, remedy, text=self.text, start=start, end=max(self.at, start + 1))


def quoted(text: str) -> str:
    """A text in quotes, as `Scanner.quoted` reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
