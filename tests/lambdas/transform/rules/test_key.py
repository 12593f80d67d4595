"""The key: read once and late, kept to itself, and asked for again only after a while."""

import boto3
import pytest
from moto import mock_aws

from lambdas.transform.errors import RecordError
from lambdas.transform.rules.key import RETRY_SECONDS, RedactionKey, fetch_secret

SECRET = "s3cr3t-" * 9


class Store:
    """Stands for Secrets Manager: says what it is told to, and counts how often it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, arn):
        self.asked.append(arn)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_the_key_is_read_when_it_is_needed_and_once():
    store = Store(SECRET)
    key = RedactionKey("arn:key", fetch=store)
    assert store.asked == []
    assert key.hash("a") == key.hash("a") != key.hash("b")
    assert store.asked == ["arn:key"]
    assert len(bytes.fromhex(key.hash("ü \ud800"))) == 16


@pytest.mark.parametrize("answer", [OSError(f"denied: {SECRET}"), "", "too short"])
def test_without_a_key_nothing_is_hashed_and_it_is_asked_again_after_a_while(answer):
    clock, store = Clock(), Store(answer, SECRET)
    key = RedactionKey("arn:key", fetch=store, clock=clock)
    for _ in range(3):
        with pytest.raises(RecordError) as failed:
            key.hash("a")
        assert failed.value.reason == "no_redaction_key"
    clock.now += RETRY_SECONDS - 1
    with pytest.raises(RecordError):
        key.hash("a")
    assert len(store.asked) == 1
    clock.now += 1
    assert key.hash("a")
    assert len(store.asked) == 2


def test_neither_key_nor_answer_is_ever_told():
    key = RedactionKey("arn:key", fetch=Store(SECRET))
    key.hash("a")
    failing = RedactionKey("arn:key", fetch=Store(OSError(SECRET)))
    with pytest.raises(RecordError) as failed:
        failing.hash("a")
    assert SECRET not in repr(key) + str(key) + repr(failed.value) + str(failed.value.args)


def test_the_secret_is_read_from_secrets_manager(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        arn = boto3.client("secretsmanager").create_secret(Name="key", SecretString=SECRET)["ARN"]
        assert fetch_secret(arn) == SECRET
        with pytest.raises(RecordError):
            RedactionKey(arn + "x").hash("a")
