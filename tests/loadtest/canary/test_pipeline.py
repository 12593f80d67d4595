"""Canary and load test as they are deployed, against the pipeline as it is deployed, in the emulator.

One route goes to a real OpenSearch where there is one to be had. The emulator starts no containers: the load test's
tasks run as processes, in the environment that their definitions say.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.canary.kept import Kept
from local import pipeline
from local.aggregator import Aggregator
from local.pipeline import Pipeline
from local.process import free_port
from local.steps import Steps
from sluice import canary, fluent_bit, names
from sluice.load import load
from sluice.loadtest import VARIABLE

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 180
CONFIG = """
name: sluice
environments: {dev: {}}
listeners: [{name: forward, port: PORT}]
routes:
  - {name: web, match: "web*"}
  - {name: found, match: "found*", destination: {kind: opensearch}}
search: {kind: domain}
canary: {tracers_per_minute: 3}
"""

LOADS = {
    "name": "both",
    "seconds": 2,
    "settle_seconds": 20,
    "loads": [
        {"name": name, "tag": f"{name}-load", "client": "firelens", "connections": 1, "messages_per_second": 20}
        for name in ("web", "found")
    ],
}

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    work = tmp_path_factory.mktemp("canary")
    file = work / "sluice.yaml"
    file.write_text(CONFIG.replace("PORT", str(free_port())))
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


def variables(running: Pipeline, task: str) -> dict[str, str]:
    """The environment of a task's container as it is deployed, told where the aggregator is on this machine."""
    family = f"{names.load_test(running.deployment)}-{task}"
    ecs = running.emulator.session().client("ecs", endpoint_url=running.emulator.url)
    [container] = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["containerDefinitions"]
    told = {each["name"]: each["value"] for each in container["environment"]}
    target = json.loads(told[VARIABLE]) | {"host": "127.0.0.1", "ports": {"forward": running.port}}
    return told | {VARIABLE: json.dumps(target)}


def test_a_load_to_s3_and_to_search_is_accounted_for(running: Pipeline, tmp_path: Path) -> None:
    run, s3 = "00c0ffee", running.emulator.client("s3")
    bucket = variables(running, "verify")["SLUICE_BUCKET"]
    plan = json.dumps({"run": run, "asked": {"profile": LOADS}}).encode()
    s3.put_object(Bucket=bucket, Key=f"loadtest/{run}/plan.json", Body=plan)
    for task, *arguments in (("send", "--share", "0/1"), ("verify",)):
        told = variables(running, task)
        assert told["SLUICE_SEARCH_ENDPOINT"] == running.search_url
        done = subprocess.run(
            [sys.executable, "-m", "loadtest.task", task, "--run", run, *arguments],
            check=False,
            cwd=tmp_path,
            env={**running.emulator.environment, **told, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(s3.get_object(Bucket=bucket, Key=f"loadtest/{run}/report.json")["Body"].read())
    assert report["target"]["verified"] == "by reading"
    delivered = {route["name"]: (route["sent"], route["delivered"]) for route in report["routes"]}
    assert delivered == {"web": (40, 40), "found": (40, 40)}
    total = report["total"]
    assert total["lost"] == total["duplicated_otherwise"] == total["misrouted"] == 0
    assert (total["reordered"], total["altered"]) == (None, 0)
    assert 0 < total["latency"]["max"] < 1000 * PATIENCE_SECONDS


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
