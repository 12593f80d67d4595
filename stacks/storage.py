"""What holds data: the bucket with the logs, and the bucket that tells who touched it.

This stack is deployed once and then left alone; everything else can be deleted and made again. The others spell
its name (`sluice.names.bucket`) and import nothing, so nothing ever has to be untangled before it can change.

Cost: versions. An object that expires or is deleted is kept and paid for another week.
"""

from typing import Final

from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import names
from sluice.model import Deployment, Removal, Retention

DELIVERED: Final = "logs/"
FAILED: Final = "failed/"
ORIGINALS: Final = "oversize/"
REASONS: Final = "reasons/"
ANSWERS: Final = "athena/"
CANARY: Final = "canary/"
LOAD_TESTS: Final = names.load_test_prefix()
# What was sent is of interest for hours; what was seen is written again all the time.
CANARY_DAYS: Final = 3
# Nothing overwrites an object (but a batch that is tried again its reasons, with the same ones), so a second version
# is a deletion: this is the time to notice one.
UNDO_DAYS: Final = 7
_TLS: Final = 1.2


class Storage(Stack):
    """The environment's bucket, its lifecycle and its access log."""

    def __init__(self, scope: Construct, stack_id: str, *, deployment: Deployment, env: Environment) -> None:
        super().__init__(scope, stack_id, env=env, description="Sluice: the bucket that holds the logs")
        days = deployment.retention.service_logs_days
        access = PrivateBucket(
            self,
            "AccessLog",
            lifecycle_rules=[s3.LifecycleRule(id="access-log", expiration=Duration.days(days))],
            removal=deployment.removal,
        )
        bucket = PrivateBucket(
            self,
            "Logs",
            bucket_name=names.bucket(deployment, account=self.account, region=self.region),
            versioned=True,
            access_log=access,
            lifecycle_rules=_lifecycle(deployment.retention, answers_days=deployment.athena.results_days),
            removal=deployment.removal,
        )
        _announce(bucket)
        CfnOutput(self, "Bucket", value=bucket.bucket_name, description="Where the logs are")


def _announce(bucket: s3.Bucket) -> None:
    """Tell EventBridge of every object: what a rule takes from there stands in the stack that has the rule.

    The resource's own property; the CDK's would set it by a custom resource with a function of its own. AWS bills
    nothing for events that its services send.
    """
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - narrows the type
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )


class PrivateBucket(s3.Bucket):
    """A bucket that is nobody else's: encrypted, over TLS only, and gone with its stack only where that is said."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        lifecycle_rules: list[s3.LifecycleRule],
        removal: Removal,
        bucket_name: str | None = None,
        versioned: bool = False,
        access_log: s3.IBucket | None = None,
    ) -> None:
        goes = removal is Removal.DESTROY
        super().__init__(
            scope,
            construct_id,
            bucket_name=bucket_name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=_TLS,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=versioned,
            server_access_logs_bucket=access_log,
            server_access_logs_prefix=None if access_log is None else "logs/",
            lifecycle_rules=[
                s3.LifecycleRule(id="abort-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)),
                *lifecycle_rules,
            ],
            removal_policy=RemovalPolicy.DESTROY if goes else RemovalPolicy.RETAIN,
            auto_delete_objects=goes,
        )


def _lifecycle(kept: Retention, *, answers_days: int) -> list[s3.LifecycleRule]:
    moved = kept.infrequent_access_days
    return [
        s3.LifecycleRule(
            id="delivered",
            prefix=DELIVERED,
            expiration=Duration.days(kept.objects_days),
            transitions=None
            if moved is None
            else [
                s3.Transition(storage_class=s3.StorageClass.INFREQUENT_ACCESS, transition_after=Duration.days(moved))
            ],
        ),
        # A document that points to its original is kept as long as that.
        s3.LifecycleRule(id="originals", prefix=ORIGINALS, expiration=Duration.days(kept.objects_days)),
        s3.LifecycleRule(id="failed", prefix=FAILED, expiration=Duration.days(kept.failed_days)),
        s3.LifecycleRule(id="reasons", prefix=REASONS, expiration=Duration.days(kept.failed_days)),
        s3.LifecycleRule(id="canary", prefix=CANARY, expiration=Duration.days(CANARY_DAYS)),
        s3.LifecycleRule(id="load-tests", prefix=LOAD_TESTS, expiration=Duration.days(kept.objects_days)),
        s3.LifecycleRule(id="answers", prefix=ANSWERS, expiration=Duration.days(answers_days)),
        s3.LifecycleRule(
            id="deleted", noncurrent_version_expiration=Duration.days(UNDO_DAYS), expired_object_delete_marker=True
        ),
    ]
