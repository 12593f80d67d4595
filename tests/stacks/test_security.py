"""Nothing that cdk-nag, cfn-lint or a look at the policies would object to."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

import stacks
from stacks.system import build

pytestmark = pytest.mark.synth

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "cdk.json"
PARTS = ("network", "storage", "delivery", "aggregator", "example")


KINDS = ["none", "domain", "public", "existing", "existing_vpc", "collection"]


@pytest.fixture(params=KINDS)
def unaccepted(monkeypatch, tmp_path, here, search_of, request):
    """What was accepted, and what is found when nothing is: pairs of a construct's path and a finding.

    For every kind of search.
    """
    accepted = set()

    def note(resource, finding, *, because):
        assert because
        accepted.add((resource.node.path, f"AwsSolutions-{finding}"))

    for found in pkgutil.iter_modules(stacks.__path__, "stacks."):
        module = importlib.import_module(found.name)
        if hasattr(module, "accept"):
            monkeypatch.setattr(module, "accept", note)
    app = App(context=json.loads(SETTINGS.read_text())["context"], outdir=str(tmp_path))
    build(app, deployment=here if request.param == "none" else search_of(request.param), example=True, load_test=True)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    return accepted, set(findings(tmp_path))


def findings(folder):
    report = json.loads((folder / "validation-report.json").read_text())
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:
            for construct in violation["violatingConstructs"]:
                yield construct["constructPath"], violation["ruleName"]


def test_nothing_is_found_that_was_not_accepted(dev, prod, searching):
    for assembly in (dev, prod, *(searching(kind) for kind in KINDS[1:])):
        assert list(findings(assembly.folder)) == []


def test_every_finding_that_is_accepted_is_one_at_that_very_resource(unaccepted):
    """An acceptance that no longer answers anything would hide the next thing that is wrong there."""
    accepted, found = unaccepted
    for path, rule in accepted:
        assert any(is_within(each, path) and rule == of for each, of in found), (path, rule)
    for path, rule in found:
        assert any(is_within(path, each) and rule == of for each, of in accepted), (path, rule)


def is_within(path, construct):
    return f"{path}/".startswith(f"{construct}/")


def test_a_bad_resource_is_found(tmp_path):
    app = App(outdir=str(tmp_path))
    s3.Bucket(Stack(app, "Bad"), "Bucket")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assert ("Bad/Bucket/Resource", "AwsSolutions-S1") in set(findings(tmp_path))


def test_templates_are_what_cloudformation_takes(dev, prod):
    """What is not held against them, and why, stands in .cfnlintrc."""
    linter = Path(sys.executable).with_name("cfn-lint")
    templates = [
        str(file) for file in (*dev.folder.glob("*.template.json"), *prod.folder.glob("*-storage.template.json"))
    ]
    linted = subprocess.run(
        [linter, "--config-file", ROOT / ".cfnlintrc", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert linted.stdout == ""
    assert linted.returncode == 0


def documents(assembly, part):
    for name, found in assembly.template(part)["Resources"].items():
        match found["Type"]:
            case "AWS::IAM::Role":
                for policy in found["Properties"].get("Policies", []):
                    yield name, policy["PolicyDocument"]
            case "AWS::IAM::Policy":
                yield name, found["Properties"]["PolicyDocument"]


def test_no_role_has_a_wildcard_beyond_those_that_have_a_reason(dev, spelled):
    wild = set()
    for part in PARTS:
        for _, document in documents(dev, part):
            for statement in document["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                resources = statement["Resource"]
                assert not any("*" in action for action in actions)
                for resource in resources if isinstance(resources, list) else [resources]:
                    told = spelled(resource)
                    if "*" in told and "/route=" not in told:
                        wild |= {(action, told) for action in actions}
    # It hands out a registry's token, and takes no resource.
    assert wild == {("ecr:GetAuthorizationToken", "*")}


def test_everything_carries_its_name_and_environment(dev):
    for part, kind in (
        ("storage", "AWS::S3::Bucket"),
        ("delivery", "AWS::KinesisFirehose::DeliveryStream"),
        ("aggregator", "AWS::ECS::Service"),
    ):
        for each in dev.resources(part, kind):
            tags = {tag["Key"]: tag["Value"] for tag in each["Properties"]["Tags"]}
            assert (tags["sluice:name"], tags["sluice:environment"]) == ("shop", "dev")
