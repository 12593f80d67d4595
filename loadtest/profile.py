"""What a load is: the profile, as a YAML file says it.

A profile is seeded: the same file makes the same messages in the same order. Its load is open: a message is due at its
time whether or not the one before was acknowledged, and latency counts from when it was due, so that a target that
stalls cannot slow the measurement down and flatter itself (coordinated omission).
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from sluice.base import Frozen, RouteName
from sluice.load import MAX_BRACKETS
from sluice.problems import ConfigError, Problem, innermost

FOLDER: Final = Path(__file__).with_name("profiles")
MAX_BYTES: Final = 256 * 1024
MEGABYTE: Final = 1_000_000
_REMEDY: Final = "`sluice loadtest profiles --schema` describes every key"

Model = TypeVar("Model", bound=Frozen)
Client = Literal["docker", "firelens", "agent", "otlp"]
Format = Literal["text", "access", "json", "multiline", "split", "hostile"]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[\x21-\x7e]+$")]


class Size(Frozen):
    """How long messages are, in bytes, markers included: log-normal between two bounds, or all alike."""

    median: int = Field(900, ge=64, le=900_000)
    sigma: float = Field(0.0, ge=0, le=3, description="0: all alike; 1: one in six is 2.7 times as long, or longer")
    least: int = Field(64, ge=64, le=900_000)
    most: int = Field(16_000, ge=64, le=900_000)

    @model_validator(mode="after")
    def _in_order(self) -> "Size":
        if not self.least <= self.median <= max(self.most, self.median):
            raise ValueError("least <= median <= most does not hold")
        return self


class Ramp(Frozen):
    """From one share of the rate to another, linearly over the whole load."""

    kind: Literal["ramp"]
    begin: float = Field(0.1, gt=0, le=100)
    end: float = Field(1.0, gt=0, le=100)


class Spike(Frozen):
    """So many times the rate, for a while in the middle."""

    kind: Literal["spike"]
    at_seconds: float = Field(ge=0)
    seconds: float = Field(gt=0)
    times: float = Field(gt=1, le=1000)


class Steady(Frozen):
    """The rate, all the time. A soak is this for hours."""

    kind: Literal["steady"] = "steady"


Course = Annotated[Steady | Ramp | Spike, Field(discriminator="kind")]


class Load(Frozen):
    """Some connections of one kind of client, which share a rate and send under one tag.

    Exactly one of `messages_per_second` and `mb_per_second` (megabytes of messages) is the rate, of all of them.
    """

    name: RouteName
    tag: Tag
    client: Client = "firelens"
    ack: bool = True
    connections: int = Field(1, ge=1, le=4096)
    messages_per_second: float | None = Field(None, gt=0, le=10_000_000)
    mb_per_second: float | None = Field(None, gt=0, le=10_000)
    course: Course = Steady()
    formats: dict[Format, float] = Field(
        {"text": 1.0}, min_length=1, description="which formats, and how often each, as weights"
    )
    size: Size = Size()
    compress: bool = Field(False, description="gzip, as FireLens sends with compress gzip")
    tracer: bool = Field(False, description="a tracer: counted apart, and in every table")

    @model_validator(mode="after")
    def _one_rate(self) -> "Load":
        if (self.messages_per_second is None) == (self.mb_per_second is None):
            raise ValueError("give exactly one of messages_per_second and mb_per_second")
        if any(weight <= 0 for weight in self.formats.values()):
            raise ValueError("a format's weight is above 0; leave out what is not wanted")
        return self

    @property
    def rate(self) -> float:
        """Messages a second, of all connections together, before the course."""
        if self.messages_per_second is not None:
            return self.messages_per_second
        assert self.mb_per_second is not None  # noqa: S101 - one of the two is there
        return self.mb_per_second * MEGABYTE / self.size.median


class Thresholds(Frozen):
    """What a run may come to, or it has failed. None: anything."""

    lost: int | None = 0
    lost_acknowledged: int | None = 0
    duplicated_otherwise: int | None = Field(0, description="copies under another event_id")
    altered: int | None = 0
    unexpected: int | None = 0
    failed: int | None = None
    duplicated_percent: float | None = None
    latency_p99_seconds: float | None = None
    achieved_percent: float | None = Field(95.0, description="of what was due, sent in time")


class Profile(Frozen):
    """A load and what is expected of the target under it."""

    name: RouteName
    says: str = Field("", description="one line for `sluice loadtest profiles`")
    seed: int = Field(1, ge=0)
    seconds: float = Field(gt=0, le=7 * 86_400)
    settle_seconds: float = Field(60, ge=0, le=3600, description="how long nothing new may come before it is the end")
    processes: int = Field(1, ge=1, le=64)
    loads: tuple[Load, ...] = Field(min_length=1)
    thresholds: Thresholds = Thresholds()

    @model_validator(mode="after")
    def _names_differ(self) -> "Profile":
        names = [load.name for load in self.loads]
        if len(set(names)) != len(names):
            raise ValueError("two loads have one name")
        return self


def names() -> tuple[str, ...]:
    """The profiles that come with Sluice."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def load_profile(name: str) -> Profile:
    """A profile by its name, or by the path of its file. Raises ConfigError with all that is wrong."""
    file = FOLDER / f"{name}.yaml" if name in names() else Path(name)
    return read_yaml(file, Profile, instead=f"name a file, or one of {', '.join(names())}", remedy=_REMEDY)


def read_yaml(file: Path, model: type[Model], *, instead: str, remedy: str) -> Model:
    """What a small YAML file says. Raises ConfigError with all that is wrong.

    `instead` is what to do when there is no such file, `remedy` what to do about a key or a value.
    """
    try:
        text = file.read_bytes()
        if len(text) > MAX_BYTES:
            raise _error(file, f"is larger than {MAX_BYTES} bytes", "it is a page, not a payload")
        if text.count(b"[") + text.count(b"{") > MAX_BRACKETS:
            raise _error(file, f"has more than {MAX_BRACKETS} brackets", "write lists and mappings a line to an item")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise _error(file, "has an alias (*name)", "write the value out where it is used")
        data: Any = yaml.safe_load(text)
    except OSError as error:
        raise _error(file, f"cannot be read: {error.strerror}", instead) from error
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise _error(file, "is not YAML", str(error).replace("\n", " "), line=line) from error
    except RecursionError as error:
        raise _error(file, "is nested too deeply", "a profile has four levels") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = tuple(
            Problem(str(file), 0, tuple(each["loc"]), repr(each["input"])[:60], each["msg"], remedy)
            for each in innermost(error.errors(include_url=False))
        )
        raise ConfigError(problems) from error


def _error(file: Path, message: str, remedy: str, *, line: int = 0) -> ConfigError:
    return ConfigError((Problem(str(file), line, (), "", message, remedy),))
