"""Whether a document still says what its messages said.

The text is made a second time from the seed (`loadtest.messages`) and compared by `loadtest.compare`, which shares no
code with what wrote the document. A document that joins lines, or the parts of a line that was cut, says so, and is
compared with all of them. Cost: some 20 us for each document that is looked at.
"""

from collections.abc import Callable, Sequence

import orjson

from loadtest.compare import is_joined, is_unaltered
from loadtest.plan import Plan, Source
from loadtest.verify import LINES, PARTS

TextOf = Callable[[Plan, Source, int, int], str]
"""The text of a message of a plan: its source, its number, and when it was due (Unix ns)."""


def text_of_messages(plan: Plan, source: Source, sequence: int, due_unix_nano: int) -> str:
    """What the load's own generator wrote."""
    from loadtest.messages import text_of  # noqa: PLC0415 - only who checks content needs the generator

    return text_of(plan, source, sequence, due_unix_nano)


def is_as_sent(
    line: bytes, messages: Sequence[tuple[int, int, int]], *, plan: Plan, text_of: TextOf = text_of_messages
) -> bool:
    """Whether a document, whose messages are given as (source, number, due) in their order, is theirs unaltered."""
    try:
        document = orjson.loads(line)
    except ValueError:  # a lone surrogate: the schema writes none
        return False
    texts = [text_of(plan, plan.sources[source], sequence, due) for source, sequence, due in messages]
    attributes = document.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    if LINES in attributes:
        return attributes[LINES] == len(texts) and is_joined(texts, document)
    if PARTS in attributes:
        return attributes[PARTS] == len(texts) and is_unaltered("".join(texts), document)
    return len(texts) == 1 and is_unaltered(texts[0], document)
