"""The configuration as one frozen value, and what it becomes for one environment.

`Config` is the file; `Deployment` is the file seen from one environment, with the overrides applied and the
catch-all route in its place. Everything else (stacks, Fluent Bit configuration, client snippets, the local
run) is a function of a `Deployment`. The models hold shape and range only; what several keys say about each
other is in `checks`. Units are in the key names.
"""

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, StringConstraints

from sluice import limits
from sluice.base import NAME_FORM, Frozen, RouteName, SystemName
from sluice.routes import Route
from sluice.search_settings import Search

Account = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]

CATCH_ALL_NAME: Final = "catch-all"
CATCH_ALL_MATCH: Final = "*"
# Tags under this prefix belong to Sluice itself (the health check's probe); no route may match only them.
RESERVED_TAG_PREFIX: Final = "sluice."


class Architecture(StrEnum):
    """The processor the containers and functions run on."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


class Removal(StrEnum):
    """What happens to stored logs when their stack is deleted."""

    RETAIN = "retain"
    DESTROY = "destroy"


class Egress(StrEnum):
    """How the aggregator reaches the AWS APIs from its private subnets."""

    NAT = "nat"
    ENDPOINTS = "endpoints"


class NewNetwork(Frozen):
    """A VPC of Sluice's own: two public and two private subnets over two availability zones."""

    kind: Literal["new"] = "new"
    cidr: IPv4Network = Field(IPv4Network("10.20.0.0/16"), description="IPv4 range of the VPC, /16 to /26")
    egress: Egress = Field(
        Egress.NAT, description="nat: a NAT gateway per zone; endpoints: VPC endpoints and no way to the internet"
    )

    @property
    def zones(self) -> int:
        """How many availability zones the subnets span."""
        return 2


class ExistingNetwork(Frozen):
    """A VPC that is there already, named by its ids: nothing is looked up."""

    kind: Literal["existing"]
    vpc_id: str = Field(
        pattern=r"^vpc-([0-9a-f]{8}|[0-9a-f]{17})$", description="id of the VPC, as vpc-0123456789abcdef0"
    )
    cidr: IPv4Network = Field(description="IPv4 range whose hosts may send logs, usually the VPC's own")
    availability_zones: tuple[str, ...] = Field(
        min_length=2, description="zone of each private subnet, in the subnets' order"
    )
    private_subnet_ids: tuple[
        Annotated[str, StringConstraints(pattern=r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$")], ...
    ] = Field(min_length=2, description="private subnets that can reach Firehose, ECR, S3 and CloudWatch Logs")

    @property
    def zones(self) -> int:
        """How many availability zones the subnets span."""
        return len(set(self.availability_zones))


Network = Annotated[NewNetwork | ExistingNetwork, Field(discriminator="kind")]


class Image(Frozen):
    """The aggregator's container image."""

    base_tag: str = Field(
        "3.5.0",
        pattern=r"^3\.\d+\.\d+$",
        description="exact tag of aws-for-fluent-bit that the image is built on (3.5.0 carries Fluent Bit 5.1.2)",
    )
    uri: str | None = Field(
        None, pattern=r"^\S+[:@]\S+$", description="a prebuilt image to run instead of building one"
    )


class Expected(Frozen):
    """The load that an aggregator is held against, at its busiest; `sluice size` says how."""

    messages_per_second: float = Field(gt=0, le=100_000_000, description="all tasks together")
    message_bytes: int = Field(900, ge=1, le=1_000_000, description="of a message's text, on average")
    client: Literal["firelens", "docker"] = Field(
        "firelens", description="docker: its fluentd driver, which sends messages one by one, at twice the cost"
    )
    outage_seconds: int = Field(
        60, ge=0, le=86_400, description="how long Firehose may take nothing before clients have to wait"
    )


class Aggregator(Frozen):
    """The Fluent Bit service behind the load balancer."""

    # Either of two tasks alone carries 10,000 messages of 900 bytes a second: docs/decisions/0020-size-of-a-task.md.
    cpu: int = Field(512, description="Fargate CPU units per task; 1024 is one vCPU")
    memory_mib: int = Field(2048, description="memory per task; Fargate pairs it with cpu")
    expected: Expected | None = Field(None, description="the load to come; validation holds the sizes against it")
    architecture: Architecture = Architecture.ARM64
    min_tasks: int = Field(2, ge=1, le=1000, description="tasks that always run; at least one per zone")
    max_tasks: int = Field(10, ge=1, le=1000, description="tasks at most; min_tasks or more")
    cpu_target_percent: int = Field(50, ge=10, le=90, description="average CPU that scaling aims at")
    ephemeral_storage_gib: int = Field(
        limits.EPHEMERAL_STORAGE_GIB[0],
        ge=limits.EPHEMERAL_STORAGE_GIB[0],
        le=limits.EPHEMERAL_STORAGE_GIB[1],
        description="disk per task, 20 to 200; the buffer is bounded by memory first",
    )
    image: Image = Image()


class Gate(Frozen):
    """The service behind listeners that acknowledge what was accepted; there is none without such a listener.

    A task of it is one process, which uses one vCPU at most: more load takes more tasks.
    """

    cpu: Literal[256, 512, 1024] = Field(1024, description="Fargate CPU units per task, 1024 at most")
    memory_mib: int = Field(2048, description="memory per task; an eighth of it may wait for Firehose")
    min_tasks: int = Field(2, ge=1, le=1000, description="tasks that always run; at least one per zone")
    max_tasks: int = Field(10, ge=1, le=1000, description="tasks at most; min_tasks or more")
    cpu_target_percent: int = Field(50, ge=10, le=90, description="average CPU that scaling aims at")
    image_uri: str | None = Field(
        None, pattern=r"^\S+[:@]\S+$", description="a prebuilt image to run instead of building one"
    )


class Transformer(Frozen):
    """The Lambda functions that Firehose calls."""

    memory_mb: int = Field(
        1024,
        ge=limits.LAMBDA_MEMORY_MB[0],
        le=limits.LAMBDA_MEMORY_MB[1],
        description="memory of each function, 128 to 10240; CPU grows with it",
    )
    architecture: Architecture = Architecture.ARM64
    python: str = Field("3.13", pattern=r"^3\.(1[2-9]|[2-9]\d)$", description="Lambda's Python, 3.12 or later, as 3.13")


Acknowledge = Literal["stored", "accepted"]


class Listener(Frozen):
    """A port of the load balancer, and what is spoken there."""

    name: RouteName = Field("forward", description=NAME_FORM)
    protocol: Literal["forward"] = "forward"
    port: int = Field(24224, ge=1024, le=65535, description="TCP port, 1024 to 65535")
    acknowledge: Acknowledge = Field(
        "stored",
        description="when a message is acknowledged. stored: it is in the aggregator's file; accepted: Firehose or "
        "Kinesis has taken it, so that nothing acknowledged is lost with a task, and it takes longer",
    )


class Athena(Frozen):
    """The queries over what lies in S3."""

    scan_limit_gib: int = Field(
        100, ge=1, le=7 * 1024, description="a query that would read more is cancelled; Athena bills what is read"
    )
    results_days: int = Field(7, ge=1, le=365, description="how long the results of queries are kept")


class Canary(Frozen):
    """Tracers that are sent through every route for ever, and looked for."""

    enabled: bool = Field(True, description="about $6 a month with three routes; see docs/decisions/0019-canary.md")
    tracers_per_minute: int = Field(6, ge=1, le=60, description="through each route")
    margin_seconds: int = Field(
        60, ge=1, le=3600, description="beyond twice a route's longest delivery, after which a tracer is lost"
    )
    read_mib: int = Field(
        1024,
        ge=1,
        le=100 * 1024,
        description="of new objects, as they lie in S3, read in each five minutes; what is beyond is told, not read",
    )
    memory_mb: int = Field(
        1024,
        ge=limits.LAMBDA_MEMORY_MB[0],
        le=limits.LAMBDA_MEMORY_MB[1],
        description="memory of its function, 128 to 10240; CPU grows with it, and with it what can be read",
    )


class LoadTest(Frozen):
    """The tasks of the load test in AWS (`-c loadtest=true`)."""

    cpu: int = Field(4096, description="Fargate CPU units of each sender and of the verifier")
    memory_mib: int = Field(8192, description="memory of each; Fargate pairs it with cpu")
    image: str | None = Field(
        None, pattern=r"^\S+[:@]\S+$", description="a prebuilt image to run instead of building one"
    )


class Retention(Frozen):
    """How long things are kept, in days."""

    objects_days: int = Field(90, ge=1, le=36500, description="delivered logs in S3")
    failed_days: int = Field(90, ge=1, le=36500, description="records that could not be processed, kept for replay")
    infrequent_access_days: int | None = Field(
        None, ge=30, description="move delivered logs to S3 Standard-IA after this many days; S3 wants 30 or more"
    )
    search_days: int = Field(14, ge=1, le=3650, description="documents in OpenSearch")
    service_logs_days: int = Field(30, description="Sluice's own logs in CloudWatch")


class Environment(Frozen):
    """Where one copy of the system is deployed, and how it differs: never in its routes."""

    account: Account | None = Field(None, description="AWS account; the credentials' own when left out")
    region: Region | None = Field(None, description="AWS region; the credentials' own when left out")
    removal: Removal = Removal.RETAIN
    retention: Retention = Retention()
    aggregator: Aggregator | None = Field(None, description="only the sizes that differ")
    gate: Gate | None = Field(None, description="only the sizes that differ")
    transformer: Transformer | None = Field(None, description="only the settings that differ")
    network: Network | None = Field(None, description="this environment's own network, instead of the common one")
    search: Search | None = Field(None, description="this environment's own search, instead of the common one")
    canary: Canary | None = Field(None, description="only the settings that differ")


class Config(Frozen):
    """sluice.yaml."""

    name: SystemName = Field(description=f"first part of the name of everything that is created: {NAME_FORM}")
    environments: dict[SystemName, Environment] = Field(min_length=1)
    network: Network = NewNetwork()
    aggregator: Aggregator = Aggregator()
    gate: Gate = Gate()
    transformer: Transformer = Transformer()
    listeners: tuple[Listener, ...] = Field(
        (Listener(),),
        min_length=1,
        max_length=limits.TARGET_GROUPS_PER_SERVICE,
        description="one to five: an ECS service takes five target groups",
    )
    search: Search | None = Field(None, description="where routes to opensearch go; needed by those only")
    athena: Athena = Athena()
    canary: Canary = Canary()
    load_test: LoadTest = LoadTest()
    routes: tuple[Route, ...] = ()


class Deployment(Frozen):
    """The configuration as one environment has it."""

    name: str
    environment: str
    account: str | None
    region: str | None
    removal: Removal
    retention: Retention
    network: Network
    aggregator: Aggregator
    gate: Gate
    transformer: Transformer
    listeners: tuple[Listener, ...]
    search: Search | None
    athena: Athena
    canary: Canary
    load_test: LoadTest
    routes: tuple[Route, ...]

    def listening(self, acknowledge: Acknowledge) -> tuple[Listener, ...]:
        """The listeners that acknowledge so: those of the aggregator (stored), or of the gate (accepted)."""
        return tuple(listener for listener in self.listeners if listener.acknowledge == acknowledge)

    @property
    def prefix(self) -> str:
        """`<name>-<environment>`, the start of every physical name."""
        return f"{self.name}-{self.environment}"


def routes_of(config: Config) -> tuple[Route, ...]:
    """The routes in their order, ending in one that takes every tag."""
    if any(route.match == CATCH_ALL_MATCH for route in config.routes):
        return config.routes
    return (*config.routes, Route(name=CATCH_ALL_NAME, match=CATCH_ALL_MATCH))


def deployment(config: Config, environment: str) -> Deployment:
    """The configuration seen from one of its environments.

    Raises:
        KeyError: the configuration has no such environment.
    """
    there = config.environments[environment]
    return Deployment(
        name=config.name,
        environment=environment,
        account=there.account,
        region=there.region,
        removal=there.removal,
        retention=there.retention,
        network=there.network or config.network,
        aggregator=overlaid(config.aggregator, there.aggregator),
        gate=overlaid(config.gate, there.gate),
        transformer=overlaid(config.transformer, there.transformer),
        listeners=config.listeners,
        search=there.search or config.search,
        athena=config.athena,
        canary=overlaid(config.canary, there.canary),
        load_test=config.load_test,
        routes=routes_of(config),
    )


Part = TypeVar("Part", bound=Frozen)


def overlaid(base: Part, over: Part | None) -> Part:
    """The base with the keys that the override names."""
    if over is None:
        return base
    return base.model_copy(update={key: getattr(over, key) for key in over.model_fields_set})
