"""The real CDK command line against the real emulator, with an application small enough to need no library.

A CDK application is a program that writes a cloud assembly to CDK_OUTDIR; this one writes it by hand.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.deploy import App, Cdk, DeployError, StackEvent, stack_event
from local.emulator import ACCOUNT, Emulator

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"

APPLICATION = """
import json, os, pathlib
out = pathlib.Path(os.environ["CDK_OUTDIR"])
out.mkdir(parents=True, exist_ok=True)
context = json.loads(os.environ["CDK_CONTEXT_JSON"])
with open("runs", "a") as runs:
    runs.write("x")
properties = {"Type": "String", "Value": context["greeting"]}
resources = {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": properties}}
if context.get("broken"):
    token = "arn:aws:lambda:eu-central-1:000000000000:function:nowhere"
    resources["Broken"] = {"Type": "Custom::Thing", "Properties": {"ServiceToken": token}}
outputs = {"Name": {"Value": {"Ref": "Parameter"}}, "ExportsOutputRefParameter": {"Value": "internal"}}
(out / "tiny.template.json").write_text(json.dumps({"Resources": resources, "Outputs": outputs}))
stack = {"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region"}
stack["properties"] = {"templateFile": "tiny.template.json"}
(out / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": {"tiny": stack}}))
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    work = tmp_path_factory.mktemp("emulator")
    with Emulator(work=work, node_modules=ROOT / "node_modules", region=REGION) as running:
        yield running


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, for it keeps the compiled command line. Each test's app is a file of its own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cdk(emulator: Emulator, cache: Path, tmp_path: Path) -> Cdk:
    return Cdk(emulator=emulator, project=ROOT, work=tmp_path / "cdk", cache=cache)


@pytest.fixture
def app(tmp_path: Path) -> App:
    directory = tmp_path / "app"
    directory.mkdir()
    program = directory / "app.py"
    program.write_text(APPLICATION)
    return App(directory=directory, context={"greeting": "hello"}, inputs=(program,))


def runs(app: App) -> int:
    return len((app.directory / "runs").read_text())


def test_an_app_is_bootstrapped_deployed_and_destroyed(cdk: Cdk, app: App, emulator: Emulator):
    events: list[StackEvent] = []
    cdk = replace(cdk, on_event=events.append)
    assembly, outputs = cdk.deploy_app(app)
    assert list(outputs) == ["tiny"]
    assert list(outputs["tiny"]) == ["Name"], "outputs that only join stacks are left out"
    buckets = [bucket["Name"] for bucket in emulator.client("s3").list_buckets()["Buckets"]]
    assert f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}" in buckets
    assert ("tiny", "AWS::SSM::Parameter", "CREATE_COMPLETE") in {(e.stack, e.kind, e.status) for e in events}
    cdk.destroy(assembly)
    stacks = emulator.client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]
    assert "tiny" not in [stack["StackName"] for stack in stacks]


def test_a_failed_deployment_names_the_resource_the_reason_and_the_log(cdk: Cdk, app: App):
    broken = replace(app, context={**app.context, "broken": "yes"})
    with pytest.raises(DeployError) as failed:
        cdk.deploy(cdk.synthesize(broken))
    said = str(failed.value)
    assert "tiny: Custom::Thing Broken" in said
    assert "function:nowhere' not found" in said
    assert str(cdk.work / "cdk-deploy.log") in said


def test_a_failed_synthesis_says_what_the_app_said_and_keeps_nothing(cdk: Cdk, app: App):
    (app.directory / "app.py").write_text("raise SystemExit('sluice.yaml: two routes are named app')")
    fresh = replace(cdk, cache=cdk.work / "cache")
    with pytest.raises(DeployError, match="two routes are named app"):
        fresh.synthesize(app)
    assert not list((fresh.cache / "assemblies").iterdir())


def test_an_assembly_is_made_once_for_the_same_inputs(cdk: Cdk, app: App):
    first = cdk.synthesize(app)
    assert cdk.synthesize(app) == first
    assert runs(app) == 1


def test_a_changed_input_or_context_makes_another(cdk: Cdk, app: App):
    first = cdk.synthesize(app)
    other_context = cdk.synthesize(replace(app, context={"greeting": "other"}))
    (app.directory / "app.py").write_text(APPLICATION + "\n# changed\n")
    other_content = cdk.synthesize(app)
    assert len({first, other_context, other_content}) == 3
    assert runs(app) == 3


def test_without_named_inputs_nothing_is_reused(cdk: Cdk, app: App):
    unknown = replace(app, inputs=())
    cdk.synthesize(unknown)
    cdk.synthesize(unknown)
    assert runs(app) == 2


def test_compiled_python_is_no_input(cdk: Cdk, app: App):
    package = app.directory / "package"
    (package / "__pycache__").mkdir(parents=True)
    with_package = replace(app, inputs=(*app.inputs, package))
    first = cdk.synthesize(with_package)
    (package / "__pycache__" / "x.pyc").write_bytes(b"anything")
    assert cdk.synthesize(with_package) == first


def test_a_missing_command_line_is_named_with_its_remedy(cdk: Cdk, tmp_path: Path):
    with pytest.raises(DeployError, match="make setup"):
        replace(cdk, project=tmp_path).bootstrap()


def test_the_users_cdk_settings_are_left_alone(cdk: Cdk):
    """The CDK remembers which account a credential belongs to: ours must not be in the user's memory."""
    cdk.bootstrap()
    (remembered,) = (cdk.work / "cdk-home").rglob("accounts*.json")
    assert ACCOUNT in remembered.read_text()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "agg |  9/17 | 2:54:19 AM | CREATE_IN_PROGRESS      | AWS::Logs::LogGroup    | Td/fb (TdfbLogGroup) ",
            ("agg", 9, 17, "CREATE_IN_PROGRESS", "AWS::Logs::LogGroup", "Td/fb (TdfbLogGroup)"),
        ),
        (
            "a-b |   0 | 2:54:19 AM | DELETE_FAILED        | AWS::S3::Bucket | Bucket (B1) it is not empty | at all",
            ("a-b", 0, 0, "DELETE_FAILED", "AWS::S3::Bucket", "Bucket (B1) it is not empty | at all"),
        ),
    ],
)
def test_a_progress_line_is_read(line: str, expected: tuple[str, int, int, str, str, str]):
    event = stack_event(line)
    assert event is not None
    assert (event.stack, event.done, event.total, event.status, event.kind, event.resource) == expected


@pytest.mark.parametrize("line", ["", "Outputs:", "agg.Name = a | b", "agg: deploying... [3/3]"])
def test_any_other_line_is_no_event(line: str):
    assert stack_event(line) is None
