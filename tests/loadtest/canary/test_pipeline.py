"""The canary as it is deployed, against the pipeline as it is deployed, in the emulator: what arrives, what does not.

One route goes to a real OpenSearch where there is one to be had. The load test's stack is deployed along; nothing there
starts a task.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.canary.kept import Kept
from local import pipeline
from local.aggregator import Aggregator
from local.pipeline import Pipeline
from local.steps import Steps
from sluice import canary, fluent_bit, names
from sluice.load import load

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 90
CONFIG = """
name: sluice
environments: {dev: {}}
routes:
  - {name: web, match: "web*"}
  - {name: found, match: "found*", destination: {kind: opensearch}}
search: {kind: domain}
canary: {tracers_per_minute: 3}
"""

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    work = tmp_path_factory.mktemp("canary")
    file = work / "sluice.yaml"
    file.write_text(CONFIG)
    asked = {"canary": "true", "loadtest": "true"}
    with pipeline.run(
        load(file), file=file, root=ROOT, work=work, search=None, steps=Steps(quiet=True), context=asked
    ) as running:
        yield running


@pytest.fixture(scope="module")
def kept(running: Pipeline) -> Kept:
    """What the deployed canary keeps."""
    deployment = running.deployment
    bucket = names.bucket(deployment, account=str(deployment.account), region=str(deployment.region))
    return Kept(running.emulator.client("s3"), bucket)


@pytest.fixture(scope="module")
def call(running: Pipeline) -> Call:
    """Calls the deployed function, once it is told where the aggregator is on this machine.

    The emulator's schedule would call it meanwhile, and take minutes away from the tests; what it began is forgotten.
    """
    function = names.canary(running.deployment)
    events = running.emulator.session().client("events", endpoint_url=running.emulator.url)
    for what in ("send", "verify"):
        events.disable_rule(Name=f"{function}-{what}")
    client = running.emulator.client("lambda")
    variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    assert variables.get("SLUICE_SEARCH_ENDPOINT") == running.search_url
    told = json.loads(variables[canary.VARIABLE]) | {"host": "127.0.0.1", "ports": [running.port]}
    variables = {**variables, canary.VARIABLE: json.dumps(told)}
    client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
    storage = running.emulator.client("s3")
    for known in storage.list_objects_v2(Bucket=variables["SLUICE_BUCKET"], Prefix="canary/").get("Contents", []):
        storage.delete_object(Bucket=variables["SLUICE_BUCKET"], Key=known["Key"])

    def call(**event: Any) -> Any:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    return call


def verified(call: Call, done: Callable[[dict[str, dict[str, int]]], bool]) -> dict[str, dict[str, int]]:
    """What all looks told together, once it is as it should be."""
    total: dict[str, dict[str, int]] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        told = call(do="verify")
        for name, counts in told["routes"].items():
            for what, value in counts.items():
                total.setdefault(name, {}).setdefault(what, 0)
                total[name][what] += value
        if done(total):
            return total
        assert time.monotonic() < deadline, (total, told["troubles"])
        time.sleep(1)


def test_both_stacks_are_deployed(running: Pipeline) -> None:
    stacks = running.emulator.client("cloudformation").describe_stacks()["Stacks"]
    found = {stack["StackName"]: stack["StackStatus"] for stack in stacks}
    for name in ("canary", "loadtest"):
        assert found[f"{running.deployment.prefix}-{name}"] == "CREATE_COMPLETE"


def test_tracers_of_every_route_are_delivered(call: Call) -> None:
    call(do="verify")
    routes = {name: {"sent": 3, "acknowledged": 3} for name in ("web", "found", "catch-all")}
    minute = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() + 3600))
    assert call(do="send", time=minute) == {"sent": True, "routes": routes}
    assert call(do="send", time=minute) == {"sent": False}
    total = verified(call, lambda total: all(of["delivered"] >= 3 for of in total.values()))
    for counts in total.values():
        assert counts["lost"] == counts["failed"] == counts["duplicated"] == counts["late"] == 0
        assert 0 < counts["latency"] < PATIENCE_SECONDS


def test_tracers_that_something_drops_are_lost(running: Pipeline, call: Call, kept: Kept, tmp_path: Path) -> None:
    """A filter takes those of one route, after they were acknowledged as it were."""

    def dropping(sections: fluent_bit.Sections) -> fluent_bit.Sections:
        drop = {"name": "grep", "match": "in.web*", "exclude": "log tracer"}
        return fluent_bit.Sections(
            sections.service, sections.loaded, sections.inputs, (*sections.filters, drop), sections.outputs
        )

    running.aggregator.stop()
    broken = Aggregator(
        running.fluent_bit,
        running.deployment,
        folder=tmp_path,
        aws=running.aws,
        ports=dict(running.aggregator.ports),
        edit=dropping,
    )
    with broken:
        # Minutes are judged in turn, and one that nobody sent is waited for: so the one whose turn it is.
        minute = kept.load().routes["web"].since
        due = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(minute * 60))
        assert call(do="send", time=due)["routes"]["web"] == {"sent": 3, "acknowledged": 3}
        total = verified(call, lambda total: total["web"]["lost"] >= 3)
    assert total["web"]["delivered"] == 0
    assert total["found"]["lost"] == total["catch-all"]["lost"] == 0
    assert call(do="verify")["routes"]["web"]["lost"] == 0, "once"
