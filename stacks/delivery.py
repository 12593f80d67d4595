"""What carries records into the bucket: per route, a Firehose stream and the transformer that it calls.

Everything here can be deleted and made again, and a route's resources depend on no other route's: their ids
come from the route's name. The bucket is another stack's; its name is spelled, not imported.

The streams are CloudFormation's own resource and not the CDK's construct: that one takes whole MiB where
Firehose takes a fifth of one, and grants the whole bucket where a route needs two prefixes.
"""

from typing import assert_never

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice import names
from sluice.destinations import OpenSearchDestination, S3Destination
from sluice.model import Deployment
from sluice.routes import hashes
from stacks.package import transformer_package
from stacks.redaction_key import RedactionKey
from stacks.s3_route import S3Route


class Delivery(Stack):
    """Every route's stream."""

    def __init__(self, scope: Construct, stack_id: str, *, deployment: Deployment, env: Environment) -> None:
        super().__init__(scope, stack_id, env=env, description="Sluice: the streams and their transformers")
        bucket = s3.Bucket.from_bucket_name(
            self, "Logs", names.bucket(deployment, account=self.account, region=self.region)
        )
        code = lambda_.Code.from_asset(str(transformer_package(deployment.transformer)))
        key = RedactionKey(self, "RedactionKey", deployment=deployment) if any(map(hashes, deployment.routes)) else None
        for route in deployment.routes:
            match route.destination:
                case S3Destination():
                    S3Route(self, route.name, deployment=deployment, route=route, bucket=bucket, code=code, key=key)
                case OpenSearchDestination():
                    raise NotImplementedError
                case other:
                    assert_never(other)
            CfnOutput(
                self,
                f"Stream{_camel(route.name)}",
                value=names.stream(deployment, route),
                description=f"Firehose stream of route {route.name}",
            )


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
