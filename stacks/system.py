"""The stacks of one environment, in the order of their lifecycles: network, storage, delivery, aggregator.

They share names, not exports; only the network is handed on as an object, for it outlives what stands in it.
"""

from aws_cdk import Environment, Tags
from constructs import Construct

from sluice.model import Deployment, NewNetwork
from stacks.aggregator import Aggregator
from stacks.delivery import Delivery
from stacks.example import Example
from stacks.network import Network
from stacks.storage import Storage


def build(scope: Construct, *, deployment: Deployment, example: bool = False) -> None:
    """Add the environment's stacks to the application."""
    prefix = deployment.prefix
    env = Environment(account=deployment.account, region=deployment.region)
    place = None
    if isinstance(deployment.network, NewNetwork):
        place = Network(scope, f"{prefix}-network", deployment=deployment, network=deployment.network, env=env).place
    storage = Storage(scope, f"{prefix}-storage", deployment=deployment, env=env)
    delivery = Delivery(scope, f"{prefix}-delivery", deployment=deployment, env=env)
    delivery.add_stack_dependency(storage, "the streams write into its bucket")
    aggregator = Aggregator(scope, f"{prefix}-aggregator", deployment=deployment, place=place, env=env)
    aggregator.add_stack_dependency(delivery, "Fluent Bit sends to its streams")
    if example:
        sender = Example(scope, f"{prefix}-example", deployment=deployment, place=aggregator.place, env=env)
        sender.add_stack_dependency(aggregator, "it sends to its private name")
    Tags.of(scope).add("sluice:name", deployment.name)
    Tags.of(scope).add("sluice:environment", deployment.environment)
