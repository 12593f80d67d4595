"""A run: its folder in the bucket, and what the state machine asks for in it."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile, load_profile
from sluice.loadtest import MOST_SENDERS
from sluice.problems import innermost

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Way = Literal["athena", "reading"]
"""How a run is accounted for: by SQL, or by reading what was delivered."""


class UnusableError(Exception):
    """The run cannot be made; says why, and what to do."""


class Asked(BaseModel):
    """What an execution is given; every task checks it alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str | dict[str, Any]
    senders: int = Field(1, ge=1, le=MOST_SENDERS)
    processes: int | None = None
    listener: str | None = None
    verify: Way | None = None

    def plan(self, run: int) -> Plan:
        """The plan that all tasks of a run make alike."""
        profile = load_profile(self.profile) if isinstance(self.profile, str) else Profile.model_validate(self.profile)
        if self.processes:
            profile = Profile.model_validate(profile.model_dump() | {"processes": self.processes})
        return make_plan(profile, run=run)


class RunFolder:
    """A run's objects in the bucket, by their names there."""

    def __init__(self, client: "S3Client", *, bucket: str, run: str) -> None:
        self._client, self._bucket, self.prefix = client, bucket, f"loadtest/{run}/"

    def asked(self) -> tuple[Plan, Asked]:
        """What is to be done. UnusableError if nothing is, or something that cannot be."""
        told = json.loads(self.read("plan.json"))
        try:
            asked = Asked.model_validate(told["asked"])
            return asked.plan(int(told["run"], 16)), asked
        except ValidationError as error:
            raise UnusableError(_said(error)) from None

    def read(self, name: str) -> bytes:
        """An object's bytes. UnusableError if it is not there."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=self.prefix + name)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            raise UnusableError(f"there is no s3://{self._bucket}/{self.prefix}{name}: is it the right run?") from None

    def write(self, name: str, data: bytes, *, kind: str = "application/json") -> str:
        """Keep an object; its address."""
        self._client.put_object(Bucket=self._bucket, Key=self.prefix + name, Body=data, ContentType=kind)
        return f"s3://{self._bucket}/{self.prefix}{name}"

    def names(self, below: str) -> Iterator[str]:
        """The names of the objects below a folder of the run's."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self.prefix + below)
        for page in pages:
            yield from (found["Key"].removeprefix(self.prefix) for found in page.get("Contents", ()))


def _said(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))} = {each['input']!r:.80}: {each['msg']}"
        for each in innermost(error.errors(include_url=False))
    )
