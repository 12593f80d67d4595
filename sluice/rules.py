"""A route's rules: what it drops, samples and redacts.

The names of patterns, formats and levels are those of the transformer, which this package never imports; a test holds
them equal. What the keys of one rule say about each other is in `rule_checks`.
"""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from sluice.base import NAME_FORM, Frozen, Match, RouteName

Pattern = Literal["private-key", "jwt", "aws-secret", "aws-key", "iban", "card", "email", "ipv6", "ipv4", "phone"]
Action = Literal["mask", "remove", "hash"]
Level = Literal["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "ERROR", "CRITICAL", "ALERT", "FATAL"]

FIELD_FORM: Final = "body, tag, severity.text, attributes.NAME or resource.NAME, of up to eight parts joined by dots"
FieldName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(body|tag|severity\.text|(attributes|resource)(\.[^.\x00-\x20]+){1,8})$", max_length=200
    ),
]
EXPRESSION_FORM: Final = "a regular expression as RE2 takes it, https://github.com/google/re2/wiki/Syntax"
Expression = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


def _as_text(value: object) -> object:
    """YAML's `200` and `true` are meant as what they look like: the transformer compares text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text), StringConstraints(max_length=1000)]


class Redaction(Frozen):
    """What must not be stored: a built-in pattern, an expression, or a whole field, and what to do with it."""

    pattern: Pattern | None = Field(None, description="a built-in pattern")
    regex: Expression | None = Field(None, description=EXPRESSION_FORM)
    field: FieldName | None = Field(None, description=FIELD_FORM)
    name: RouteName | None = Field(None, description=f"what it is counted by, for regex and field: {NAME_FORM}")
    action: Action = Field(
        "mask", description="mask: [redacted:NAME]; remove: nothing; hash: the same hash for the same value"
    )


class Condition(Frozen):
    """One thing that has to be so: one test of a field, or of the severity, or of the tag."""

    field: FieldName | None = Field(None, description=FIELD_FORM)
    equals: Text | None = Field(None, description="the field is this text, number or truth value")
    prefix: Text | None = Field(None, description="the field starts with this text")
    contains: Text | None = Field(None, description="the field has this text in it")
    regex: Expression | None = Field(None, description=EXPRESSION_FORM)
    exists: bool | None = Field(None, description="the field is there (true), or is not (false)")
    severity_below: Level | None = Field(None, description="the severity is known, and less than this")
    tag: Match | None = Field(None, description="the tag matches, `*` standing for anything")


class Drop(Frozen):
    """Records that fulfil all conditions are not stored."""

    name: RouteName = Field(description=f"what it is counted by: {NAME_FORM}")
    where: tuple[Condition, ...] = Field(min_length=1, description="conditions, all of which have to hold")


class Sample(Frozen):
    """Of the records that fulfil all conditions, a share is stored."""

    name: RouteName = Field(description=f"what it is counted by: {NAME_FORM}")
    where: tuple[Condition, ...] = Field((), description="conditions, all of which have to hold; none: every record")
    keep_percent: float = Field(gt=0, lt=100, description="the share that is kept: more than 0, less than 100")
    by: Literal["event_id", "trace_id"] = Field(
        "event_id", description="trace_id: the lines of one trace stay or go together; event_id for those without"
    )
    errors: bool = Field(False, description="whether ERROR and worse are sampled too; otherwise they are kept")
