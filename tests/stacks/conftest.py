"""Synthesis for the tests: one application per deployment and session, read back as plain templates."""

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from sluice.destinations import OpenSearchDestination
from sluice.model import Config, Deployment, ExistingNetwork, Transformer, deployment
from stacks import canary, delivery, package, search
from stacks.system import build

ROOT = Path(__file__).resolve().parents[2]

CONFIG = Config.model_validate(
    {
        "name": "shop",
        "environments": {
            "dev": {"removal": "destroy", "retention": {"objects_days": 14, "failed_days": 21, "service_logs_days": 7}},
            "prod": {"retention": {"objects_days": 365, "infrequent_access_days": 30, "service_logs_days": 90}},
        },
        "listeners": [{"name": "forward", "port": 24224}, {"name": "second", "port": 24225}],
        "routes": [
            {
                "name": "web",
                "match": "web*",
                "buffering": {"size_mib": 128, "interval_seconds": 900, "transform_size_mb": 1},
            },
            {"name": "web-2", "match": "other*", "steps": ["severity", "json"]},
            {
                "name": "quick",
                "match": "quick*",
                "steps": [],
                "redact": [{"pattern": "email", "action": "hash"}],
                "buffering": {
                    "size_mib": 1,
                    "interval_seconds": 0,
                    "transform_size_mb": 0.2,
                    "transform_interval_seconds": 0,
                },
            },
        ],
    }
)


@dataclass(frozen=True)
class Assembly:
    """What a synthesis wrote."""

    folder: Path

    @property
    def stacks(self) -> set[str]:
        return {file.name.removesuffix(".template.json") for file in self.folder.glob("*.template.json")}

    def template(self, part: str) -> dict[str, Any]:
        [file] = self.folder.glob(f"*-{part}.template.json")
        return json.loads(file.read_text())

    def resources(self, part: str, kind: str) -> list[dict[str, Any]]:
        return [found for found in self.template(part)["Resources"].values() if found["Type"] == kind]

    def properties(self, part: str, kind: str, **wanted: str) -> dict[str, Any]:
        """Of the one resource of a kind whose properties are as wanted."""
        candidates = [found["Properties"] for found in self.resources(part, kind)]
        [found] = [each for each in candidates if all(text(each.get(key)) == value for key, value in wanted.items())]
        return found

    def statements(self, part: str, resource: dict[str, Any]) -> list[dict[str, Any]]:
        """What a role's own policies and those attached to it allow, the intrinsics spelled out."""
        template = self.template(part)["Resources"]
        name = next(name for name, found in template.items() if found["Properties"] == resource)
        documents = [policy["PolicyDocument"] for policy in resource.get("Policies", [])]
        documents += [
            found["Properties"]["PolicyDocument"]
            for found in template.values()
            if found["Type"] == "AWS::IAM::Policy" and {"Ref": name} in found["Properties"]["Roles"]
        ]
        return [
            {"actions": set(_listed(each["Action"])), "resources": {text(one) for one in _listed(each["Resource"])}}
            for document in documents
            for each in document["Statement"]
        ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text(value: Any) -> Any:
    """A value with CloudFormation's functions spelled out: references stand in angle brackets."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return separator.join(text(part) for part in parts)
        case {"Ref": name}:
            return f"<{name.removeprefix('AWS::')}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Sub": template}:
            return template
        case _:
            return value


def once(assembled: Callable[..., Path]) -> Callable[..., Path]:
    """The canary's package, put together once."""

    @functools.cache
    def made(sources: tuple[Path, ...], requirements: Path, transformer: Transformer) -> Path:
        return assembled(sources, requirements=requirements, transformer=transformer)

    return lambda sources, *, requirements, transformer: made(tuple(sources), requirements, transformer)


Synthesize = Callable[..., Assembly]


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Synthesize a deployment, once per session; `checked` with cdk-nag."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    made: dict[tuple[str, bool, bool, bool], Assembly] = {}
    # Once: whoever edits the functions while the tests run changes nothing between two syntheses.
    delivery.package = search.package = functools.cache(package.package)
    canary.assembled = once(package.assembled)

    def synthesize(
        deployment: Deployment, *, example: bool = False, load_test: bool = False, checked: bool = False
    ) -> Assembly:
        key = (deployment.model_dump_json(), example, load_test, checked)
        if key not in made:
            folder = tmp_path_factory.mktemp(deployment.prefix)
            app = App(context=context, outdir=str(folder))
            build(app, deployment=deployment, example=example, load_test=load_test)
            if checked:
                Validations.of(app).add_plugins(AwsSolutionsChecks(app))
            app.synth()
            made[key] = Assembly(folder)
        return made[key]

    return synthesize


@pytest.fixture(scope="session")
def config() -> Config:
    return CONFIG


@pytest.fixture(scope="session")
def here() -> Deployment:
    """The deployment that the tests look at."""
    return deployment(CONFIG, "dev")


@pytest.fixture(scope="session")
def dev(synthesize: Synthesize, here: Deployment) -> Assembly:
    return synthesize(here, example=True, load_test=True, checked=True)


@pytest.fixture(scope="session")
def prod(synthesize: Synthesize, config: Config) -> Assembly:
    return synthesize(deployment(config, "prod"), checked=True)


@pytest.fixture(scope="session")
def spelled() -> Callable[[Any], Any]:
    return text


def pytest_generate_tests(metafunc: pytest.Metafunc) -> Iterator[None] | None:
    """A test that takes a `route` is asked about every route, the catch-all too."""
    if "route" in metafunc.fixturenames:
        routes = deployment(CONFIG, "dev").routes
        metafunc.parametrize("route", routes, ids=[route.name for route in routes])


READER = "arn:aws:iam::111122223333:role/people"
ANY_SEARCH: dict[str, dict[str, Any]] = {
    "domain": {"kind": "domain", "readers": [READER]},
    "public": {
        "kind": "domain",
        "access": "public",
        "instance_type": "t3.small.search",
        "instances": 1,
        "zones": 1,
        "dedicated_masters": 3,
        "indices": {"replicas": 0},
    },
    "existing": {
        "kind": "existing",
        "endpoint": "https://search-logs.eu-west-1.es.amazonaws.com",
        "arn": "arn:aws:es:eu-west-1:111122223333:domain/logs",
    },
    "existing_vpc": {
        "kind": "existing",
        "endpoint": "https://vpc-logs.eu-west-1.es.amazonaws.com",
        "arn": "arn:aws:es:eu-west-1:111122223333:domain/logs",
        "access": "vpc",
    },
    "collection": {"kind": "serverless", "readers": [READER]},
}
SEARCH_ROUTES: list[dict[str, Any]] = [
    {
        "name": "web",
        "match": "web*",
        "destination": {"kind": "opensearch", "rotation": "week", "retry_seconds": 600, "numbers": ["cart.total"]},
        "buffering": {"size_mib": 8, "interval_seconds": 30},
    },
    {
        "name": "api",
        "match": "api*",
        "via": "kinesis",
        "destination": {"kind": "opensearch", "rotation": "none"},
    },
]
AS_CONFIGURED: Any = object()


def search_deployment(
    kind: str,
    *,
    environment: str = "dev",
    destination: OpenSearchDestination | None = None,
    key_arn: str | None = None,
    is_wanted: bool = True,
) -> Deployment:
    """Two routes to a search of a kind of ANY_SEARCH, and the catch-all to S3.

    The first is put to, with this destination; the second reads a data stream with this key.
    """
    web, api = SEARCH_ROUTES
    web = web if destination is None else {**web, "destination": destination.model_dump()}
    told = {
        **CONFIG.model_dump(mode="json", exclude_unset=True),
        "search": ANY_SEARCH[kind],
        "routes": [web, {**api, "kinesis": {"key_arn": key_arn}}] if is_wanted else [],
    }
    return deployment(Config.model_validate(told), environment)


@pytest.fixture(scope="session")
def searching(synthesize: Synthesize) -> Callable[..., Assembly]:
    """Synthesize a `search_deployment`, with other settings or in another network if they are given."""

    def synthesized(
        kind: str, *, settings: Any = AS_CONFIGURED, network: ExistingNetwork | None = None, **how: Any
    ) -> Assembly:
        there = search_deployment(kind, **how)
        other: dict[str, Any] = {} if settings is AS_CONFIGURED else {"search": settings}
        other |= {} if network is None else {"network": network}
        return synthesize(there.model_copy(update=other), checked=not other and not how)

    return synthesized


@pytest.fixture(scope="session")
def search_of() -> Callable[..., Deployment]:
    """The deployment with a search of a kind, for who synthesizes it otherwise."""
    return search_deployment


@pytest.fixture(scope="session")
def readers() -> list[str]:
    """Who may search the domain and the collection."""
    return [READER]


@pytest.fixture(scope="session")
def elsewhere() -> ExistingNetwork:
    """A network with two subnets in one of its zones."""
    return ExistingNetwork.model_validate(
        {
            "kind": "existing",
            "vpc_id": "vpc-0123456789abcdef0",
            "cidr": "10.0.0.0/16",
            "availability_zones": ["eu-west-1a", "eu-west-1a", "eu-west-1b"],
            "private_subnet_ids": ["subnet-00000001", "subnet-00000002", "subnet-00000003"],
        }
    )
