"""What a function is told, read by the one that is told it."""

import pytest

from lambdas.transform.settings import Settings, read_settings
from lambdas.transform.spec import Redaction
from sluice.function import environment
from sluice.routes import Route

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:key"


def told(route: dict[str, object], *, key_arn: str | None = None) -> Settings:
    variables = environment(Route.model_validate(route), bucket="shop-logs", key_arn=key_arn)
    return read_settings(variables)


def test_the_function_reads_what_it_is_told():
    settings = told({"name": "web", "match": "web*", "steps": ["json", "text"], "formats": ["syslog"]})

    assert settings == Settings(route="web", steps=("json", "text"), formats=("syslog",), bucket="shop-logs")


@pytest.mark.parametrize(("action", "key"), [("hash", ARN), ("mask", "")])
def test_only_a_function_that_hashes_is_told_the_key(action, key):
    redact = [{"pattern": "card", "action": action}]
    settings = told({"name": "web", "match": "web*", "redact": redact}, key_arn=ARN)

    assert settings.redact == (Redaction("card", "pattern", "card", action),)
    assert settings.redaction_key == key


def test_a_route_that_says_nothing_of_its_steps_has_all_and_one_that_has_none_says_so():
    assert told({"name": "web", "match": "web*"}).steps == Settings().steps
    assert told({"name": "web", "match": "web*", "steps": []}).steps == ()


PARTITIONED = {"kind": "s3", "partition_by": [{"name": "tenant", "field": "attributes.tenant", "values": ["acme"]}]}


@pytest.mark.parametrize("destination", [{"kind": "opensearch"}, PARTITIONED])
def test_a_function_that_sends_documents_once_more_is_told_so_and_with_what_key(destination):
    settings = told({"name": "web", "match": "web*", "destination": destination}, key_arn=ARN)
    assert (settings.resends, settings.redaction_key) == (True, ARN)
    plain = told({"name": "web", "match": "web*"}, key_arn=ARN)
    assert (plain.resends, plain.redaction_key, plain.shape) == (False, "", "stored")


def test_a_function_knows_the_form_of_its_destination():
    search = told(
        {"name": "web", "match": "web*", "destination": {"kind": "opensearch", "numbers": ["took.ms"]}}, key_arn=ARN
    )
    assert (search.shape, search.numbers) == ("search", ("took.ms",))
    [key] = told({"name": "web", "match": "web*", "destination": PARTITIONED}, key_arn=ARN).partition_by
    assert (key.name, key.field, key.values) == ("tenant", "attributes.tenant", frozenset({"acme"}))
