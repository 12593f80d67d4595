"""What the tests of searching share: a configuration, an index with the real template, and a bucket."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from sluice.model import Config, Deployment, deployment
from tests.query.stage import BUCKET, CONFIG, Indices


@pytest.fixture(scope="session")
def config() -> Config:
    return Config.model_validate(yaml.safe_load(CONFIG))


@pytest.fixture(scope="session")
def there(config: Config) -> Deployment:
    return deployment(config, "dev")


@pytest.fixture(scope="module")
def indices_of_module(opensearch_url: str, there: Deployment) -> Iterator[Indices]:
    made = Indices(opensearch_url, there)
    yield made
    made.remove()


@pytest.fixture
def indices(opensearch_url: str, there: Deployment) -> Iterator[Indices]:
    made = Indices(opensearch_url, there)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A bucket for all tests of a module: each uses a route of its own, or empties it."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client
