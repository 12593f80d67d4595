"""Where `opensearch` routes go: a domain of Sluice's own, one that is there already, or a serverless collection."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from sluice import limits
from sluice.base import Frozen

RoleArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+$", max_length=2048)
]
READERS: Final = "IAM roles or users that may search and open the dashboards, as ARNs"


class Indices(Frozen):
    """How the indices are made."""

    shards: int = Field(1, ge=1, le=100, description="primary shards of an index; one holds up to about 50 GiB")
    replicas: int = Field(1, ge=0, le=2, description="copies of each shard; a single instance can hold none")
    refresh_seconds: int = Field(5, ge=1, le=300, description="after so long a new document is found; more is cheaper")


class Rollover(Frozen):
    """When an index of a route without rotation is closed for writing and the next one begins."""

    size_gib: int = Field(30, ge=1, le=200, description="at this size of all primary shards")
    days: int = Field(7, ge=1, le=365, description="or at this age")


class Domain(Frozen):
    """An OpenSearch domain that Sluice makes: encrypted, with fine-grained access control by IAM."""

    kind: Literal["domain"] = "domain"
    version: str = Field("2.19", pattern=r"^[23]\.\d{1,2}$", description="OpenSearch's version, 2.19 or later")
    instance_type: str = Field(
        "m7g.large.search", pattern=r"^[a-z0-9]+\.[a-z0-9]+\.search$", description="type of the data instances"
    )
    instances: int = Field(2, ge=1, le=80, description="data instances; a multiple of zones")
    zones: Literal[1, 2, 3] = Field(2, description="availability zones they are spread over")
    dedicated_masters: Literal[0, 3] = Field(0, description="3 for ten instances and more, or for a quiet life")
    master_type: str = Field(
        "m7g.medium.search", pattern=r"^[a-z0-9]+\.[a-z0-9]+\.search$", description="type of the dedicated masters"
    )
    volume_gib: int = Field(
        100,
        ge=limits.SEARCH_VOLUME_GIB[0],
        le=limits.SEARCH_VOLUME_GIB[1],
        description="gp3 volume of each data instance",
    )
    access: Literal["vpc", "public"] = Field(
        "vpc", description="vpc: in the private subnets only; public: reachable from outside, by IAM alone"
    )
    readers: tuple[RoleArn, ...] = Field((), description=READERS)
    indices: Indices = Indices()
    rollover: Rollover = Rollover()


class ExistingDomain(Frozen):
    """A domain that is there already. Its fine-grained access control, if any, has to know Sluice's setup role."""

    kind: Literal["existing"]
    endpoint: str = Field(
        pattern=r"^(https://[A-Za-z0-9.-]+(:\d{1,5})?|http://127\.0\.0\.1:\d{1,5})$",
        max_length=512,
        description="its address, as https://search-logs-….es.amazonaws.com",
    )
    arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:es:[a-z0-9-]+:\d{12}:domain/[a-z][a-z0-9-]+$",
        description="its ARN, as arn:aws:es:eu-west-1:111122223333:domain/logs",
    )
    access: Literal["vpc", "public"] = Field("public", description="vpc: it is in this environment's VPC")
    readers: tuple[RoleArn, ...] = Field((), description=READERS)
    indices: Indices = Indices()
    rollover: Rollover = Rollover()

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, without the plugins and the permissions that a domain of AWS has."""
        return self.endpoint.startswith("http://127.0.0.1:")


class Collection(Frozen):
    """An OpenSearch Serverless collection for time series."""

    kind: Literal["serverless"]
    standby: bool = Field(True, description="a second copy in another zone; without it, half the least price")
    access: Literal["public"] = Field("public", description="reachable from outside, by IAM alone")
    readers: tuple[RoleArn, ...] = Field((), description=READERS)
    indices: Indices = Indices()


Search = Annotated[Domain | ExistingDomain | Collection, Field(discriminator="kind")]
