"""Tag matches: Fluent Bit's globs, in which `*` stands for any run of characters, the empty one too.

Routes are tried in their order and the first match takes the record. Fluent Bit itself hands a record to
*every* output whose match fits, so the order has to be written into the matches: `excludes` finds which
earlier matches a later one must leave out. Both questions below are decided exactly, in
O(len(first) * len(second)) time.
"""

from functools import cache

STAR = "*"


def covers(general: str, special: str) -> bool:
    """Whether every tag that `special` matches is matched by `general` too."""

    @cache
    def rest(i: int, j: int) -> bool:
        if i == len(general):
            return j == len(special)
        if general[i] == STAR:
            return rest(i + 1, j) or (j < len(special) and rest(i, j + 1))
        return j < len(special) and general[i] == special[j] and rest(i + 1, j + 1)

    return rest(0, 0)


def overlaps(one: str, other: str) -> bool:
    """Whether some tag is matched by both."""

    @cache
    def rest(i: int, j: int) -> bool:
        if i == len(one) and j == len(other):
            return True
        if i < len(one) and one[i] == STAR:
            return rest(i + 1, j) or (j < len(other) and rest(i, j + 1))
        if j < len(other) and other[j] == STAR:
            return rest(i, j + 1) or (i < len(one) and rest(i + 1, j))
        return i < len(one) and j < len(other) and one[i] == other[j] and rest(i + 1, j + 1)

    return rest(0, 0)


def matches(glob: str, tag: str) -> bool:
    """Whether a tag, taken literally, is matched."""
    head, *middle, tail = glob.split(STAR) if STAR in glob else (glob, None)
    if tail is None:
        return glob == tag
    if len(tag) < len(head) + len(tail) or not (tag.startswith(head) and tag.endswith(tail)):
        return False
    at, end = len(head), len(tag) - len(tail)
    for part in middle:
        found = tag.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
