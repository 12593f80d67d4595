"""The folder of a run: what it leaves there, and what is read back to account for it again.

| File | What it is |
|---|---|
| plan.json | the profile as it was sent, the run's number, and where what arrived is to be looked for |
| sent-N.jsonl | the senders' journals |
| report.json, report.html | the account |
| stage/ | logs and buffers of what was started here |
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile

HOME: Final = Path(".sluice/loadtest")
PLAN: Final = "plan.json"
VERSION: Final = 1


class NoRunError(ValueError):
    """A folder that is not a run's; the text says what to name."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a run was sent, and how to find what arrived. All but `to` are as on the command line."""

    to: str | None = None
    env: str | None = None
    region: str | None = None
    endpoint: str | None = None
    local: bool = False

    def with_changes(self, other: "Target") -> "Target":
        """This one with what the other one says."""
        return Target(
            to=other.to or self.to,
            env=other.env or self.env,
            region=other.region or self.region,
            endpoint=other.endpoint or self.endpoint,
            local=other.local or self.local,
        )


@dataclass(frozen=True, kw_only=True)
class Written:
    """A run as its folder tells it."""

    plan: Plan
    target: Target

    def write(self, folder: Path) -> None:
        """Leave it in the folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {
            "version": VERSION,
            "run": self.plan.run_name,
            "profile": self.plan.profile.model_dump(mode="json"),
            "target": asdict(self.target),
        }
        (folder / PLAN).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises NoRunError when it is not there, or of another version."""
        told = _json(folder / PLAN)
        if told.get("version") != VERSION:
            raise NoRunError(f"{folder / PLAN} is of another version: verify it with the Sluice that wrote it")
        profile = Profile.model_validate(told["profile"])
        return cls(plan=make_plan(profile, run=int(told["run"], 16)), target=Target(**told["target"]))


def _json(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoRunError(f"{file}: {error.strerror}: name a run's folder, as {HOME}/1a2b3c4d") from error
    except ValueError as error:
        raise NoRunError(f"{file} is not JSON: name a run's folder, as {HOME}/1a2b3c4d") from error
    if not isinstance(told, dict):
        raise NoRunError(f"{file} is no report: name a run's folder, as {HOME}/1a2b3c4d")
    return told
