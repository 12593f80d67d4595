"""What carries records to where they go: per route, a Firehose stream and the transformer that it calls.

Everything here can be deleted and made again, and a route's resources depend on no other route's: their ids
come from the route's name. The bucket and the search are other stacks'; their names are spelled, not imported.

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
from sluice.routes import needs_key
from stacks.network import Place
from stacks.opensearch_route import DeliveryNetwork, OpenSearchRoute
from stacks.package import package
from stacks.redaction_key import RedactionKey
from stacks.s3_route import S3Route
from stacks.search_target import delivery_group, in_place, is_inside, is_wanted, one_per_zone, target


class Delivery(Stack):
    """Every route's stream."""

    def __init__(
        self, scope: Construct, stack_id: str, *, deployment: Deployment, place: Place | None, env: Environment
    ) -> None:
        """What delivers to a search in the VPC is in `place`; in the network of the configuration when that is None."""
        super().__init__(scope, stack_id, env=env, description="Sluice: the streams and their transformers")
        bucket = s3.Bucket.from_bucket_name(
            self, "Logs", names.bucket(deployment, account=self.account, region=self.region)
        )
        code = lambda_.Code.from_asset(str(package("transform", deployment.transformer)))
        keyed = any(map(needs_key, deployment.routes))
        key = RedactionKey(self, "RedactionKey", deployment=deployment) if keyed else None
        search = target(self, deployment=deployment) if is_wanted(deployment) else None
        network = self._network(deployment, place) if search and is_inside(deployment) else None
        for route in deployment.routes:
            match route.destination:
                case S3Destination():
                    S3Route(self, route.name, deployment=deployment, route=route, bucket=bucket, code=code, key=key)
                case OpenSearchDestination() as destination:
                    assert search is not None  # noqa: S101 - it is wanted by this very route
                    OpenSearchRoute(
                        self,
                        route.name,
                        deployment=deployment,
                        route=route,
                        destination=destination,
                        target=search,
                        network=network,
                        bucket=bucket,
                        code=code,
                        key=key,
                    )
                case other:
                    assert_never(other)
            CfnOutput(
                self,
                f"Stream{_camel(route.name)}",
                value=names.stream(deployment, route),
                description=f"Firehose stream of route {route.name}",
            )

    def _network(self, deployment: Deployment, place: Place | None) -> DeliveryNetwork:
        place = in_place(self, deployment=deployment, place=place)
        group = delivery_group(self, deployment=deployment)
        return DeliveryNetwork(subnets=tuple(one_per_zone(place)), group=group)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
