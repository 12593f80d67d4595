"""The stacks of one environment, in the order of their lifecycles.

| Stack | Is made |
|---|---|
| network | unless the configuration names one |
| storage | always |
| athena | if a route goes to S3 |
| buffers | if a route goes via kinesis |
| search | if a route goes to OpenSearch |
| delivery, aggregator | always |
| canary | unless it is switched off |
| loadtest | if it is asked for |

They share names, not exports; only the network is handed on as an object, for it outlives what stands in it.
"""

from aws_cdk import Environment, Tags
from constructs import Construct

from sluice.destinations import S3Destination
from sluice.model import Deployment, NewNetwork
from stacks.aggregator import Aggregator
from stacks.athena import Athena
from stacks.buffers import Buffers
from stacks.canary import Canary
from stacks.delivery import Delivery
from stacks.example import Example
from stacks.loadtest import LoadTest
from stacks.network import Network, Place
from stacks.search import Search
from stacks.search_target import is_wanted
from stacks.storage import Storage


def build(scope: Construct, *, deployment: Deployment, example: bool = False, load_test: bool = False) -> None:
    """Add the environment's stacks to the application."""
    prefix = deployment.prefix
    env = Environment(account=deployment.account, region=deployment.region)
    place = None
    if isinstance(deployment.network, NewNetwork):
        place = Network(scope, f"{prefix}-network", deployment=deployment, network=deployment.network, env=env).place
    delivery = _delivery(scope, deployment=deployment, place=place, env=env, load_test=load_test)
    aggregator = Aggregator(scope, f"{prefix}-aggregator", deployment=deployment, place=place, env=env)
    aggregator.add_stack_dependency(delivery, "Fluent Bit sends to its streams")
    if deployment.canary.enabled:
        canary = Canary(scope, f"{prefix}-canary", deployment=deployment, place=place, env=env)
        canary.add_stack_dependency(aggregator, "it sends to its private name")
    if load_test:
        test = LoadTest(scope, f"{prefix}-loadtest", deployment=deployment, place=place, env=env)
        test.add_stack_dependency(aggregator, "it sends to its private name")
    if example:
        sender = Example(scope, f"{prefix}-example", deployment=deployment, place=aggregator.place, env=env)
        sender.add_stack_dependency(aggregator, "it sends to its private name")
    Tags.of(scope).add("sluice:name", deployment.name)
    Tags.of(scope).add("sluice:environment", deployment.environment)


def _delivery(
    scope: Construct, *, deployment: Deployment, place: Place | None, env: Environment, load_test: bool
) -> Delivery:
    """The streams, after what they read from, write to and are formed by; nothing else would order it, for all of
    that is known to them by name.
    """
    prefix = deployment.prefix
    storage = Storage(scope, f"{prefix}-storage", deployment=deployment, env=env)
    delivery = Delivery(scope, f"{prefix}-delivery", deployment=deployment, place=place, env=env)
    delivery.add_stack_dependency(storage, "the streams write into its bucket")
    if any(isinstance(route.destination, S3Destination) for route in deployment.routes):
        athena = Athena(scope, f"{prefix}-athena", deployment=deployment, env=env)
        delivery.add_stack_dependency(athena, "Parquet has the columns of its tables")
    if any(route.via == "kinesis" for route in deployment.routes):
        buffers = Buffers(scope, f"{prefix}-buffers", deployment=deployment, env=env)
        delivery.add_stack_dependency(buffers, "the streams read its data streams")
    if is_wanted(deployment):
        search = Search(scope, f"{prefix}-search", deployment=deployment, place=place, env=env, load_test=load_test)
        search.add_stack_dependency(storage, "quarantine reads from its bucket")
        delivery.add_stack_dependency(search, "the streams write into its indices")
    return delivery
