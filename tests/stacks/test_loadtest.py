"""The load test in AWS: who may do what, what the state machine runs, and what the image is built from."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sluice import loadtest as told
from sluice import names
from sluice.model import Config, deployment
from stacks.loadtest import settle_seconds
from stacks.loadtest_task import context

pytestmark = pytest.mark.synth

ROOT = Path(__file__).resolve().parents[2]
LOGS = "arn:<Partition>:s3:::shop-dev-logs-<AccountId>-<Region>"


@pytest.fixture
def machine(dev):
    properties = dev.properties("loadtest", "AWS::StepFunctions::StateMachine", StateMachineName="shop-dev-loadtest")
    text = properties["DefinitionString"]
    parts = text["Fn::Join"][1] if isinstance(text, dict) else [text]
    return json.loads("".join(part if isinstance(part, str) else "TOKEN" for part in parts))


def test_it_is_there_only_where_it_is_asked_for(dev, prod):
    assert "shop-dev-loadtest" in dev.stacks
    assert "shop-prod-loadtest" not in prod.stacks


def grants(assembly, spelled, task):
    """What a task's own role may: resources by action."""
    found = {}
    for name, each in assembly.template("loadtest")["Resources"].items():
        if each["Type"] == "AWS::IAM::Policy" and name.startswith(f"{task}Work"):
            for statement in each["Properties"]["PolicyDocument"]["Statement"]:
                actions, resources = (
                    value if isinstance(value, list) else [value]
                    for value in (statement["Action"], statement["Resource"])
                )
                for action in actions:
                    found.setdefault(action, set()).update(map(spelled, resources))
    return found


def test_a_sender_reads_and_writes_the_runs_folder_and_nothing_else(dev, spelled):
    assert grants(dev, spelled, "Send") == {
        "s3:ListBucket": {LOGS},
        "s3:GetObject": {f"{LOGS}/loadtest/*"},
        "s3:PutObject": {f"{LOGS}/loadtest/*"},
    }


def test_the_verifier_reads_what_came_and_asks_athena_besides(dev, spelled):
    glue = "arn:<Partition>:glue:<Region>:<AccountId>:"
    asking = {"arn:<Partition>:athena:<Region>:<AccountId>:workgroup/shop-dev-logs"}
    assert grants(dev, spelled, "Verify") == {
        "s3:ListBucket": {LOGS},
        "s3:GetObject": {f"{LOGS}/{prefix}/*" for prefix in ("loadtest", "logs", "failed", "athena")},
        "s3:PutObject": {f"{LOGS}/loadtest/*", f"{LOGS}/athena/*"},
        "s3:AbortMultipartUpload": {f"{LOGS}/athena/*"},
        "s3:GetBucketLocation": {LOGS},
        "athena:StartQueryExecution": asking,
        "athena:GetQueryExecution": asking,
        "athena:GetQueryResults": asking,
        "glue:GetDatabase": {f"{glue}catalog", f"{glue}database/shop_dev", f"{glue}table/shop_dev/*"},
        "glue:GetTable": {f"{glue}catalog", f"{glue}database/shop_dev", f"{glue}table/shop_dev/*"},
    }


def test_where_only_endpoints_lead_out_it_reads(synthesize, config, spelled):
    changed = config.model_dump() | {"network": {"kind": "new", "egress": "endpoints"}}
    here = deployment(Config.model_validate(changed), "dev")
    assert json.loads(told.told(here))["workgroup"] is None
    actions = grants(synthesize(here, load_test=True, checked=True), spelled, "Verify")
    assert set(actions) == {"s3:ListBucket", "s3:GetObject", "s3:PutObject"}


@pytest.mark.parametrize(("kind", "action"), [("domain", "es:ESHttpPost"), ("collection", "aoss:APIAccessAll")])
def test_the_verifier_searches_the_routes_indices_under_the_name_that_is_let_in(
    synthesize, search_of, spelled, kind, action
):
    here = search_of(kind)
    made = synthesize(here, load_test=True, checked=True)
    resources = grants(made, spelled, "Verify")[action]
    if kind == "domain":
        arn = f"arn:<Partition>:es:<Region>:<AccountId>:domain/{names.search_domain(here)}"
        assert resources == {f"{arn}/{here.prefix}-{name}*/_search" for name in ("web", "api")}
    task = made.properties("loadtest", "AWS::ECS::TaskDefinition", Family=f"{here.prefix}-loadtest-verify")
    [container] = task["ContainerDefinitions"]
    variables = {each["Name"]: each["Value"] for each in container["Environment"]}
    assert variables["SLUICE_SEARCH_SERVICE"] == action.partition(":")[0]
    assert made.properties("loadtest", "AWS::IAM::Role", RoleName=names.load_test_verifier(here))
    assert action not in grants(made, spelled, "Send")


def test_tasks_write_to_their_volume_alone_and_know_where_to_send(dev, here):
    for what in ("send", "verify"):
        task = dev.properties("loadtest", "AWS::ECS::TaskDefinition", Family=f"shop-dev-loadtest-{what}")
        [container] = task["ContainerDefinitions"]
        assert container["ReadonlyRootFilesystem"] is True
        assert [mount["ContainerPath"] for mount in container["MountPoints"]] == ["/work"]
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        variables = {each["Name"]: each["Value"] for each in container["Environment"]}
        assert variables[told.VARIABLE] == told.told(here)
        assert (task["Cpu"], task["Memory"]) == ("4096", "8192")


def test_nobody_comes_in(dev):
    [group] = dev.resources("loadtest", "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group["Properties"]
    assert {rule["FromPort"] for rule in group["Properties"]["SecurityGroupEgress"]} == {24224, 24225, 443}


def test_the_machine_plans_sends_settles_and_verifies(machine, here):
    states, order, at = machine["States"], [], machine["StartAt"]
    while at:
        order.append(at)
        at = states[at].get("Next") or next((each["Next"] for each in states[at].get("Choices", [])), None)
    assert order == [
        "Defaults",
        "Asked",
        "Senders",
        "Shares",
        "Plan",
        "Senders in parallel",
        "Settle",
        "Command",
        "RunVerify",
        "Passed",
    ]
    assert states["Settle"]["Seconds"] == settle_seconds(here) == 900 + 60 + 5
    assert states["Defaults"]["Parameters"]["defaults"] == {"profile": "smoke", "senders": 1}
    assert states["Plan"]["Resource"].endswith(":aws-sdk:s3:putObject")
    assert "loadtest/{}/plan.json" in states["Plan"]["Parameters"]["Key.$"]


def test_more_senders_than_run_at_once_are_refused(machine):
    """They wait for each other, and would wait for ever."""
    [choice] = machine["States"]["Senders"]["Choices"]
    assert {next(value for key, value in each.items() if key.startswith("Numeric")) for each in choice["And"]} == {
        1,
        40,
    }
    assert machine["States"][machine["States"]["Senders"]["Default"]]["Type"] == "Fail"


def test_every_sender_is_waited_for_and_a_failure_says_where_the_report_is(machine):
    every = machine["States"]["Senders in parallel"]
    [run] = every["ItemProcessor"]["States"].values()
    for state in (run, machine["States"]["RunVerify"]):
        assert state["Resource"].endswith(":ecs:runTask.sync")
        [container] = state["Parameters"]["Overrides"]["ContainerOverrides"]
        assert container["Command.$"] == "$.command"
    assert "States.Format('{}/{}', $$.Map.Item.Value, $.asked.senders)" in every["ItemSelector"]["command.$"]
    for state in (every, machine["States"]["RunVerify"]):
        [caught] = state["Catch"]
        failed = machine["States"][caught["Next"]]
        assert failed["Type"] == "Fail"
        assert "report.html" in failed["CausePath"]
    assert "report.html" in machine["States"]["Passed"]["Parameters"]["report.$"]


def test_the_context_is_the_image_and_what_it_runs():
    made = context()
    files = {file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file()}
    assert {
        "Dockerfile",
        "requirements.txt",
        "loadtest/task/__main__.py",
        "sluice/globs.py",
        "loadtest/profiles/smoke.yaml",
    } < files
    assert not any("__pycache__" in name or name.startswith(("local/", "tests/", "stacks/")) for name in files)
    copied = re.findall(r"^COPY (\S+)", (made / "Dockerfile").read_text(), re.MULTILINE)
    assert all((made / name).exists() for name in copied)


def exported(*arguments):
    """What uv.lock says, as uv exports it: one requirement with its hashes by its name and marker."""
    command = [Path(sys.executable).with_name("uv"), "export", "--frozen", "--no-default-groups", "--no-emit-project"]
    done = subprocess.run(
        [*command, "--no-annotate", "--no-header", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return requirements(done.stdout)


def requirements(text):
    return set(re.split(r"\n(?=\S)", text.strip()))


def test_the_images_requirements_are_those_of_the_lock_with_their_hashes():
    """To bring them up to date: the command of `exported` with these arguments, into that file."""
    groups = ["--group", "loadtest", "--group", "query", "--prune", "duckdb", "--prune", "sqlglot"]
    written = (ROOT / "loadtest" / "image" / "requirements.txt").read_text()
    assert requirements(written) == exported(*groups)
    assert all("--hash=sha256:" in each for each in requirements(written))


def test_the_canarys_requirements_are_those_of_the_lock():
    written = requirements((ROOT / "loadtest" / "canary" / "requirements.txt").read_text())
    assert written <= exported("--group", "loadtest")
    named = {each.partition("==")[0] for each in written}
    asked = (ROOT / "loadtest" / "canary" / "requirements.in").read_text()
    assert named == set(re.findall(r"^([a-z]\S*?)[>=]", asked, re.MULTILINE)) == {"msgpack"}
