"""A profile with another rate, another length or more processes, its shape kept."""

from typing import Any, Final

from pydantic import ValidationError

from loadtest.profile import Load, Profile, Ramp, Spike, Steady
from sluice.problems import ConfigError, Problem

_REMEDY: Final = "take a smaller --rate, or more connections"


def adjusted(
    profile: Profile, *, seconds: float | None = None, times: float = 1.0, processes: int | None = None
) -> Profile:
    """The profile for so many seconds and at so many times the rate; a spike keeps its place and share of the time.

    Raises ConfigError for what is beyond a profile's limits.
    """
    changes: dict[str, Any] = {}
    stretch = 1.0 if seconds is None else seconds / profile.seconds
    if stretch != 1.0 or times != 1.0:
        changes["loads"] = tuple(_load(load, stretch=stretch, times=times).model_dump() for load in profile.loads)
        changes["seconds"] = profile.seconds * stretch
    if processes is not None:
        changes["processes"] = processes
    try:
        return Profile.model_validate(profile.model_dump() | changes)
    except ValidationError as error:
        problems = tuple(
            Problem(profile.name, 0, tuple(each["loc"]), repr(each["input"])[:60], each["msg"], _REMEDY)
            for each in error.errors(include_url=False)
        )
        raise ConfigError(problems) from error


def rate_of(profile: Profile) -> float:
    """Messages a second of all loads together, before their courses."""
    return sum(load.rate for load in profile.loads)


def steady(profile: Profile) -> Profile:
    """The profile without ramps and spikes."""
    return profile.model_copy(
        update={"loads": tuple(load.model_copy(update={"course": Steady()}) for load in profile.loads)}
    )


def _load(load: Load, *, stretch: float, times: float) -> Load:
    course: Steady | Ramp | Spike = load.course
    if isinstance(course, Spike):
        moved = {"at_seconds": course.at_seconds * stretch, "seconds": course.seconds * stretch}
        course = course.model_copy(update=moved)
    per_second = None if load.messages_per_second is None else load.messages_per_second * times
    megabytes = None if load.mb_per_second is None else load.mb_per_second * times
    return load.model_copy(update={"course": course, "messages_per_second": per_second, "mb_per_second": megabytes})
