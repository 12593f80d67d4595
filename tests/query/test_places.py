import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from query.documents import UnreachableError
from query.endpoints import endpoint_of
from query.places import Place, choose_place, choose_routes, indices, open_bucket, running_demo
from sluice.model import deployment
from sluice.search_settings import Collection, Domain


@pytest.fixture
def demo(tmp_path):
    def write(**told):
        file = tmp_path / "running.json"
        base = {"region": "us-east-1", "account": "000000000000", "bucket": "shop-local-logs", "environment": "local"}
        file.write_text(json.dumps({"endpoint_url": "http://127.0.0.1:9", "search": None, **base, **told}))
        return file

    return write


def chosen(config, file, **said):
    told = {"environment": None, "region": None, "endpoint": None, "local": False, **said}
    return choose_place(config, demo_file=file, **told)


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_running_demo_is_meant_when_nothing_else_is_said(config, demo, tmp_path):
    file = demo(pid=os.getpid(), search="http://127.0.0.1:9200")
    place = chosen(config, file)
    assert place.demo is not None
    assert (place.deployment.environment, place.region, place.endpoint) == (
        "local",
        "us-east-1",
        "http://127.0.0.1:9200",
    )
    assert chosen(config, file, environment="dev").demo is None
    assert chosen(config, file, endpoint="http://127.0.0.1:1").demo is None
    assert chosen(config, file, environment="prod", local=True).demo is not None
    assert chosen(config, tmp_path / "none.json").deployment.environment == "dev"


def test_a_demo_that_ended_is_not_running(config, demo):
    assert running_demo(demo(pid=ended_process())) is None
    assert running_demo(demo()) is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert running_demo(demo(endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}")) is not None
    with pytest.raises(UnreachableError, match="no demo is running here"):
        chosen(config, demo(), local=True)


@pytest.mark.parametrize("text", ["", "[]", "5", "{", '{"endpoint_url": 5}', "\x00"])
def test_what_is_no_demo_is_none(tmp_path, text):
    (tmp_path / "running.json").write_text(text)
    assert running_demo(tmp_path / "running.json") is None


def test_what_there_is_not_is_refused_with_what_there_is(config, there, tmp_path):
    with pytest.raises(UnreachableError, match="no environment 'live'; there are dev, prod"):
        chosen(config, tmp_path / "none.json", environment="live")
    with pytest.raises(UnreachableError, match="no route 'cart'; there are web, web-2nd, shop, catch-all"):
        choose_routes(there, ["web", "cart"])


def test_a_routes_indices_are_not_those_of_a_route_whose_name_begins_the_same(there):
    web, second, *_ = there.routes
    assert indices(there, [web]) == ["shop-dev-web-0*", "shop-dev-web-2*", "-shop-dev-web-2nd-*"]
    assert indices(there, [web, second])[2:] == ["shop-dev-web-2nd-0*", "shop-dev-web-2nd-2*"]


@pytest.fixture
def credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


class Session:
    """AWS as a test says it answers; botocore holds the answers to the real shapes."""

    region_name = "eu-west-1"

    def __init__(self, **answers):
        self._answers = answers

    def client(self, service):
        client = boto3.client(service, region_name=self.region_name)
        stubber = Stubber(client)
        operation, answer = self._answers.get(service, ("describe_stacks", None))
        if answer is None:
            stubber.add_client_error(operation, "ValidationError", "Stack does not exist")
        else:
            stubber.add_response(operation, answer)
        stubber.activate()
        return client


def search_of(config, search):
    return deployment(config, "prod").model_copy(update={"search": search})


def stack(**outputs):
    told = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    made = {"StackName": "x", "CreationTime": datetime(2026, 11, 21, tzinfo=UTC), "StackStatus": "CREATE_COMPLETE"}
    return "describe_stacks", {"Stacks": [{**made, "Outputs": told}]}


@pytest.mark.usefixtures("credentials")
def test_the_endpoint_is_what_the_search_stack_says(config):
    aws = Session(cloudformation=stack(Other="x", Endpoint="search-a.eu-west-1.es.amazonaws.com"))
    assert endpoint_of(search_of(config, Domain()), aws) == "https://search-a.eu-west-1.es.amazonaws.com"


DOMAIN = {
    "DomainId": "1/x",
    "DomainName": "shop-prod-search",
    "ARN": "arn:aws:es:eu-west-1:1:domain/x",
    "ClusterConfig": {},
}


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("status", [{"Endpoint": "a.es.amazonaws.com"}, {"Endpoints": {"vpc": "a.es.amazonaws.com"}}])
@pytest.mark.parametrize("outputs", [None, {"Other": "x"}])
def test_without_that_output_the_domain_is_asked(config, status, outputs):
    told = {} if outputs is None else {"cloudformation": stack(**outputs)}
    aws = Session(opensearch=("describe_domain", {"DomainStatus": {**DOMAIN, **status}}), **told)
    assert endpoint_of(search_of(config, Domain()), aws) == "https://a.es.amazonaws.com"


@pytest.mark.usefixtures("credentials")
def test_of_a_collection_its_endpoint_and_of_what_is_not_there_how_to_make_it(config):
    serverless = Collection(kind="serverless")
    found = {"collectionDetails": [{"collectionEndpoint": "https://x.eu-west-1.aoss.amazonaws.com"}]}
    aws = Session(opensearchserverless=("batch_get_collection", found))
    assert endpoint_of(search_of(config, serverless), aws) == "https://x.eu-west-1.aoss.amazonaws.com"
    aws = Session(opensearchserverless=("batch_get_collection", {"collectionDetails": []}))
    with pytest.raises(UnreachableError, match="shop-prod-search is not deployed"):
        endpoint_of(search_of(config, serverless), aws)
    with pytest.raises(UnreachableError, match="AWS cannot be asked"):
        endpoint_of(search_of(config, Domain()), Session(opensearch=("describe_domain", None)))


def test_an_existing_domain_has_the_endpoint_that_the_file_says(config, there):
    aws = Session()
    assert endpoint_of(search_of(config, there.search), aws) == "http://127.0.0.1:9"
    with pytest.raises(UnreachableError, match="has no `search`"):
        endpoint_of(search_of(config, None), aws)


@pytest.mark.usefixtures("credentials")
@mock_aws
def test_the_bucket_is_named_with_the_account_of_the_file_or_of_sts(config, there):
    place = Place(deployment=there, region="us-east-1", endpoint=None)
    assert open_bucket(place, there.routes).name == "s3://shop-dev-logs-111122223333-us-east-1"
    assert (
        open_bucket(Place(deployment=deployment(config, "prod"), region="eu-west-1", endpoint=None), there.routes).name
        == "s3://shop-prod-logs-123456789012-eu-west-1"
    )
    with pytest.raises(UnreachableError, match="which region"):
        open_bucket(Place(deployment=there, region=None, endpoint=None), there.routes)


def test_the_demos_bucket_is_asked_at_its_emulator(config, demo):
    place = chosen(config, demo(pid=os.getpid()))
    bucket = open_bucket(place, place.deployment.routes)
    assert bucket.name == "s3://shop-local-logs"
    assert bucket._client.meta.endpoint_url == "http://127.0.0.1:9"
    # Without an OpenSearch, the demo delivers to S3 what would go there.
    assert [route.name for route in bucket._routes] == ["web", "web-2nd", "shop", "catch-all"]
