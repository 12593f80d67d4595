"""A search is asked as AWS wants it: signed, and in plain on this machine alone."""

import pytest
from botocore.httpsession import URLLib3Session

from loadtest.asking import poster


@pytest.fixture
def sent(monkeypatch):
    requests = []

    class Answer:
        status_code, content = 200, b"{}"

    def send(_session, request):
        requests.append(request)
        return Answer()

    monkeypatch.setattr(URLLib3Session, "send", send)
    for name, value in (("ACCESS_KEY_ID", "AKIA"), ("SECRET_ACCESS_KEY", "s"), ("DEFAULT_REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    return requests


def test_requests_are_signed_for_the_service_with_their_bodys_hash(sent):
    poster("https://search.example", "aoss")("/a*/_search?x=y", b"{}")
    [request] = sent
    assert request.url == "https://search.example/a*/_search?x=y"
    assert "/eu-west-1/aoss/aws4_request" in request.headers["Authorization"]
    assert "x-amz-content-sha256" in request.headers["Authorization"]


def test_this_machine_is_asked_without_a_signature_and_nothing_else_in_plain(sent):
    poster("http://127.0.0.1:9200", "es")("/a/_search", b"{}")
    assert "Authorization" not in sent[0].headers
    with pytest.raises(ValueError, match="neither"):
        poster("http://search.example", "es")
