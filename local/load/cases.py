"""A matrix of cases: profiles by Fluent Bits by settings, each one a run of the counting stage.

    says: what the settings cost and keep
    profiles: [smoke]
    fluent_bits: {here: null, old: /opt/fluent-bit-1.8/bin/fluent-bit}
    settings:
      as-rendered: {}
      one-retry: {set: {output.retry_limit: "1"}, refuse: [{at: 1, seconds: 3}], expect: loss}
      killed: {kill: [2]}

`expect: loss` is a negative control: such a case fails when the run reports no loss, for then it would not report any.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from loadtest.profile import read_yaml
from sluice.base import Frozen, RouteName

HERE: Final = "here"
MOST_CASES: Final = 200
_REMEDY: Final = "`sluice loadtest matrix --schema` describes every key"


class Refusal(Frozen):
    """A time in which Firehose throttles every call."""

    at: float = Field(ge=0, description="seconds after the load began")
    seconds: float = Field(gt=0, le=3600)


class Setting(Frozen):
    """One way to run Fluent Bit, and what happens meanwhile."""

    set: dict[str, str | int | bool | float] = Field(
        {}, description="as --set of `sluice loadtest run`: output.retry_limit: 1"
    )
    refuse: tuple[Refusal, ...] = ()
    kill: tuple[float, ...] = Field((), description="seconds at which it is killed (-9), and started on its buffer")
    expect: Literal["holds", "loss"] = Field(
        "holds", description="holds: the profile's thresholds; loss: something is lost, or else the case fails"
    )

    @property
    def settings(self) -> dict[str, str]:
        """What is set, as Fluent Bit writes it."""
        return {key: _written(value) for key, value in self.set.items()}


class Matrix(Frozen):
    """Everything is run with everything."""

    says: str = ""
    profiles: tuple[str, ...] = Field(min_length=1, description="names or files, as for `sluice loadtest run`")
    seconds: float | None = Field(
        None, gt=0, le=3600, description="how long each load lasts, in place of the profile's"
    )
    fluent_bits: dict[RouteName, str | None] = Field(
        {HERE: None}, min_length=1, description="programs by a name for the table; null: the one that is found"
    )
    settings: dict[RouteName, Setting] = Field(min_length=1)

    @model_validator(mode="after")
    def _not_too_many(self) -> "Matrix":
        count = len(self.profiles) * len(self.fluent_bits) * len(self.settings)
        if count > MOST_CASES:
            raise ValueError(f"{count} cases: at most {MOST_CASES} are run at a time")
        return self


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run of the matrix."""

    profile: str
    fluent_bit: str
    program: str | None
    name: str
    setting: Setting


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a case. `error` says why it could not be run at all; the numbers are then 0."""

    case: Case
    sent: int = 0
    acknowledged: int = 0
    lost: int = 0
    lost_acknowledged: int = 0
    duplicated: int = 0
    cpu: float | None = None
    breaches: tuple[str, ...] = ()
    folder: str = ""
    error: str | None = None

    @property
    def as_expected(self) -> bool:
        """Whether the case's expectation holds."""
        if self.error is not None:
            return False
        return self.lost > 0 if self.case.setting.expect == "loss" else not self.breaches

    def to_json(self) -> dict[str, Any]:
        """Stable keys, for a machine."""
        return {
            "profile": self.case.profile,
            "fluent_bit": self.case.fluent_bit,
            "setting": self.case.name,
            "expect": self.case.setting.expect,
            "as_expected": self.as_expected,
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "lost_acknowledged": self.lost_acknowledged,
            "duplicated": self.duplicated,
            "cpu": self.cpu,
            "breaches": list(self.breaches),
            "folder": self.folder,
            "error": self.error,
        }


def cases(matrix: Matrix) -> Iterator[Case]:
    """Every case, in the file's order."""
    for profile in matrix.profiles:
        for fluent_bit, program in matrix.fluent_bits.items():
            for name, setting in matrix.settings.items():
                yield Case(profile=profile, fluent_bit=fluent_bit, program=program, name=name, setting=setting)


def load_matrix(file: Path) -> Matrix:
    """The matrix that a file says. Raises ConfigError with all that is wrong."""
    return read_yaml(file, Matrix, instead="name a file, as loadtest/cases/settings.yaml", remedy=_REMEDY)


def _written(value: str | float) -> str:
    """YAML reads on and off as truth values."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
