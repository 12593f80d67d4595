"""CloudWatch log groups for what Sluice says about itself.

They go with their stack in every environment: they tell how the system runs, and are not the logs it carries.
That also lets a route be removed and added again, for a group that stayed would still hold its name.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from sluice.model import Deployment


def service_log(scope: Construct, construct_id: str, *, name: str, deployment: Deployment) -> logs.LogGroup:
    """A log group that keeps its lines for the environment's `service_logs_days`."""
    group = logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        removal_policy=RemovalPolicy.DESTROY,
        retention=logs.RetentionDays.INFINITE,
    )
    # The CDK's enum has no constructor from days; which numbers are allowed, the model has checked.
    resource = group.node.default_child
    assert isinstance(resource, logs.CfnLogGroup)  # noqa: S101 - narrows the type
    resource.retention_in_days = deployment.retention.service_logs_days
    return group
