"""The key of the hashes: made up by AWS, in nobody's template, and readable by those that hash."""

import json

import pytest

from sluice.model import deployment

pytestmark = pytest.mark.synth

KIND = "AWS::SecretsManager::Secret"


def test_the_key_is_made_up_where_it_is_kept(dev):
    [secret] = dev.resources("delivery", KIND)
    assert secret["Properties"]["GenerateSecretString"] == {
        "PasswordLength": 64,
        "ExcludePunctuation": True,
        "IncludeSpace": False,
    }
    assert "SecretString" not in secret["Properties"]


def test_the_key_goes_where_the_logs_go_and_stays_where_they_stay(dev, prod):
    for assembly, policy in ((dev, "Delete"), (prod, "Retain")):
        [secret] = assembly.resources("delivery", KIND)
        assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == (policy, policy)


def test_only_the_function_that_hashes_is_told_of_the_key(dev):
    [name] = [name for name, each in dev.template("delivery")["Resources"].items() if each["Type"] == KIND]
    told = {
        each["Properties"].get("FunctionName") or each["Type"]
        for each in dev.template("delivery")["Resources"].values()
        if each["Type"] != KIND and f'"{name}"' in json.dumps(each)
    }
    assert told == {"shop-dev-quick-transform", "AWS::IAM::Role"}
    readers = [
        each
        for each in dev.resources("delivery", "AWS::IAM::Role")
        if "secretsmanager:GetSecretValue" in json.dumps(each)
    ]
    assert len(readers) == 1


def test_without_a_rule_that_hashes_there_is_no_key(config, synthesize):
    plain = tuple(route.model_copy(update={"redact": ()}) for route in config.routes)
    assembly = synthesize(deployment(config.model_copy(update={"routes": plain}), "dev"))
    assert assembly.resources("delivery", KIND) == []
    assert "secretsmanager" not in json.dumps(assembly.template("delivery"))
