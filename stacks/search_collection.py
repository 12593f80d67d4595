"""An OpenSearch Serverless collection for time series, with the four policies it does not work without.

Every policy names the collection, and the data policy its roles, exactly. Documents go by age, as the lifecycle policy
says: a collection has no index state management, and Firehose no rotation there, so a route has one index.

Cost: decision 0014. It bills capacity by the hour, and a least of it as soon as it is there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_opensearchserverless as serverless
from constructs import Construct

from sluice import names
from sluice.model import Deployment, Removal
from sluice.search_settings import Collection

# What each may do with the collection, and with its indices.
# https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-data-access.html
PREPARING: Final = (
    ("CreateCollectionItems", "DescribeCollectionItems", "UpdateCollectionItems"),
    ("CreateIndex", "DescribeIndex", "ReadDocument", "UpdateIndex", "WriteDocument"),
)
WRITING: Final = (("DescribeCollectionItems",), ("CreateIndex", "DescribeIndex", "UpdateIndex", "WriteDocument"))
READING: Final = (("DescribeCollectionItems",), ("DescribeIndex", "ReadDocument"))


class SearchCollection(Construct):
    """The collection: encrypted, reachable over HTTPS, and open to nobody until `let_in` says to whom."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment, settings: Collection) -> None:
        super().__init__(scope, construct_id)
        self._name = names.search_domain(deployment)
        self._patterns = (f"{deployment.prefix}-*", names.failed_index(deployment))
        collection = serverless.CfnCollection(
            self,
            "Resource",
            name=self._name,
            type="TIMESERIES",
            description=f"Sluice {deployment.prefix}: logs",
            standby_replicas="ENABLED" if settings.standby else "DISABLED",
        )
        for policy in (self._encryption(), self._network(), self._retention(deployment)):
            collection.add_resource_dependency(policy)
        goes = deployment.removal is Removal.DESTROY
        collection.apply_removal_policy(RemovalPolicy.DESTROY if goes else RemovalPolicy.RETAIN)
        self.arn = collection.attr_arn
        self.endpoint = collection.attr_collection_endpoint
        self.dashboards = collection.attr_dashboard_endpoint

    def let_in(self, *, master: str, writers: Sequence[str], readers: Sequence[str]) -> serverless.CfnAccessPolicy:
        """Let roles in by their ARNs: to prepare, to write and to search. They need not be there yet."""
        rules = [self._access((master,), PREPARING, indices=("*",)), self._access(writers, WRITING)]
        if readers:
            # Dashboards' own index is not one of ours; what is in it are searches and charts.
            rules.append(self._access(readers, READING, indices=("*",)))
        return serverless.CfnAccessPolicy(
            self, "Access", name=self._name, type="data", policy=Stack.of(self).to_json_string(rules)
        )

    def _access(
        self,
        principals: Sequence[str],
        permissions: tuple[tuple[str, ...], tuple[str, ...]],
        *,
        indices: Sequence[str] | None = None,
    ) -> Mapping[str, Any]:
        collection, index = ([f"aoss:{permission}" for permission in some] for some in permissions)
        patterns = [f"index/{self._name}/{pattern}" for pattern in indices or self._patterns]
        return {
            "Rules": [
                {"ResourceType": "collection", "Resource": [f"collection/{self._name}"], "Permission": collection},
                {"ResourceType": "index", "Resource": patterns, "Permission": index},
            ],
            "Principal": list(principals),
        }

    def _encryption(self) -> serverless.CfnSecurityPolicy:
        return self._security("Encryption", {"Rules": [self._whole("collection")], "AWSOwnedKey": True})

    def _network(self) -> serverless.CfnSecurityPolicy:
        rules = [self._whole("collection"), self._whole("dashboard")]
        return self._security("Network", [{"Rules": rules, "AllowFromPublic": True}])

    def _whole(self, kind: str) -> Mapping[str, Any]:
        return {"ResourceType": kind, "Resource": [f"collection/{self._name}"]}

    def _security(self, construct_id: str, policy: object) -> serverless.CfnSecurityPolicy:
        return serverless.CfnSecurityPolicy(
            self,
            construct_id,
            name=self._name,
            type=construct_id.lower(),
            policy=Stack.of(self).to_json_string(policy),
        )

    def _retention(self, deployment: Deployment) -> serverless.CfnLifecyclePolicy:
        rule = {
            "ResourceType": "index",
            "Resource": [f"index/{self._name}/{pattern}" for pattern in self._patterns],
            "MinIndexRetention": f"{deployment.retention.search_days}d",
        }
        return serverless.CfnLifecyclePolicy(
            self,
            "Retention",
            name=self._name,
            type="retention",
            policy=Stack.of(self).to_json_string({"Rules": [rule]}),
        )
