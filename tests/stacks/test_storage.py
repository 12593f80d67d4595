"""The bucket is private, encrypted, kept as long as the configuration says, and gone only where that is wanted."""

import json

import pytest

pytestmark = pytest.mark.synth


def bucket(assembly):
    [found] = [each for each in assembly.resources("storage", "AWS::S3::Bucket") if "BucketName" in each["Properties"]]
    return found


def buckets(assembly):
    return assembly.resources("storage", "AWS::S3::Bucket")


def rules(assembly):
    return {rule["Id"]: rule for rule in bucket(assembly)["Properties"]["LifecycleConfiguration"]["Rules"]}


def test_bucket_has_the_name_that_the_streams_spell(dev, spelled):
    assert spelled(bucket(dev)["Properties"]["BucketName"]) == "shop-dev-logs-<AccountId>-<Region>"


def test_nothing_is_public(dev):
    for each in buckets(dev):
        assert each["Properties"]["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        assert each["Properties"]["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_everything_is_encrypted(dev):
    for each in buckets(dev):
        [rule] = each["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_only_tls_1_2_and_later_is_spoken(dev):
    policies = dev.resources("storage", "AWS::S3::BucketPolicy")
    assert len(policies) == len(buckets(dev))
    for policy in policies:
        denied = [
            statement["Condition"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", {"AWS": "*"})
        ]
        assert {"Bool": {"aws:SecureTransport": "false"}} in denied
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in denied


def test_every_object_is_announced_without_a_function_to_set_that_up(dev, prod):
    for assembly in (dev, prod):
        told = bucket(assembly)["Properties"]["NotificationConfiguration"]
        assert told == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
        assert assembly.resources("storage", "Custom::S3BucketNotifications") == []


def test_access_is_logged_in_the_other_bucket(dev):
    names = [name for name, each in dev.template("storage")["Resources"].items() if each in buckets(dev)]
    target = bucket(dev)["Properties"]["LoggingConfiguration"]["DestinationBucketName"]["Ref"]
    assert target in names
    assert dev.template("storage")["Resources"][target] != bucket(dev)


def test_delivered_and_failed_records_expire_apart(dev):
    assert rules(dev)["delivered"] == {
        "Id": "delivered",
        "Status": "Enabled",
        "Prefix": "logs/",
        "ExpirationInDays": 14,
    }
    assert rules(dev)["failed"]["Prefix"] == "failed/"
    assert rules(dev)["failed"]["ExpirationInDays"] == 21


def test_what_the_transformer_keeps_expires_with_what_it_belongs_to(dev):
    """An original with the document that points to it, a reason with the record that failed for it."""
    kept = {
        name: (rules(dev)[name]["Prefix"], rules(dev)[name]["ExpirationInDays"])
        for name in rules(dev).keys() & {"originals", "reasons"}
    }
    assert kept == {"originals": ("oversize/", 14), "reasons": ("reasons/", 21)}


def test_what_canary_and_load_tests_keep_expires(dev):
    kept = {
        name: (rules(dev)[name]["Prefix"], rules(dev)[name]["ExpirationInDays"]) for name in ("canary", "load-tests")
    }
    assert kept == {"canary": ("canary/", 3), "load-tests": ("loadtest/", 14)}


def test_delivered_logs_move_to_infrequent_access_when_told(prod):
    assert rules(prod)["delivered"]["ExpirationInDays"] == 365
    assert rules(prod)["delivered"]["Transitions"] == [{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}]
    assert "Transitions" not in rules(prod)["failed"]


def test_deletions_can_be_undone_for_a_week_and_unfinished_uploads_go(dev):
    assert bucket(dev)["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert rules(dev)["deleted"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert rules(dev)["deleted"]["ExpiredObjectDeleteMarker"] is True
    assert rules(dev)["abort-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_production_keeps_its_buckets(prod):
    for each in buckets(prod):
        assert (each["DeletionPolicy"], each["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert prod.resources("storage", "Custom::S3AutoDeleteObjects") == []


def test_development_can_be_deleted_with_its_logs(dev):
    for each in buckets(dev):
        assert each["DeletionPolicy"] == "Delete"
    assert len(dev.resources("storage", "Custom::S3AutoDeleteObjects")) == len(buckets(dev))


def test_no_other_stack_holds_it_in_place(dev):
    """An export that somebody imports cannot be taken away: nothing imports from here."""
    assert not any("Export" in output for output in dev.template("storage")["Outputs"].values())
    for part in ("delivery", "aggregator"):
        assert "-storage:" not in str(dev.template(part))


def test_what_writes_into_it_is_deployed_after_it(dev):
    """By name alone nobody would wait for it; and it would be deleted from under those who write."""
    manifest = json.loads((dev.folder / "manifest.json").read_text())["artifacts"]
    assert "shop-dev-storage" in manifest["shop-dev-delivery"]["dependencies"]
    assert "shop-dev-delivery" in manifest["shop-dev-aggregator"]["dependencies"]
