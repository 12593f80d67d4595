"""The custom resource: what CloudFormation is told, and what the cluster is then."""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lambdas.search import answer, cluster, setup
from lambdas.search.answer import AnswerError

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import json, sys
from lambdas.search import setup
class Context:
    def get_remaining_time_in_millis(self): return 60_000
setup.handler(json.load(sys.stdin), Context())
"""


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(cluster, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(answer, "FIRST_WAIT", 0.01)


@pytest.fixture
def run(make_event, cloudformation, context):
    """Hand an event to the function and return CloudFormation's answer."""

    def go(kind, plan, *, seconds=300, **more):
        cloudformation.answers.clear()
        setup.handler(make_event(kind, plan, **more), context(seconds))
        return cloudformation.answer

    return go


def aliases(domain, prefix):
    behind = domain.ask("GET", f"/_alias/{prefix}*") or {}
    return {index: list(of["aliases"]) for index, of in behind.items()}


def state(domain, prefix):
    """All that there is of an installation."""
    return (
        sorted(
            one["name"]
            for one in (domain.ask("GET", f"/_index_template/{prefix}*") or {"index_templates": []})["index_templates"]
        ),
        sorted(domain.policies),
        aliases(domain, prefix),
        sorted(domain.security["roles"]),
        domain.security["rolesmapping"],
        sorted(domain.objects),
    )


def test_create_makes_everything_and_says_so(run, domain, make_plan, prefix):
    told = run("Create", make_plan())
    assert told["Status"] == "SUCCESS", told
    assert told["PhysicalResourceId"] == "sluice-search-Setup"
    assert told["Data"] == {"Prefix": prefix, "Skipped": ""}
    names = [f"{prefix}-web", f"{prefix}-web-api", f"{prefix}_failed"]
    assert state(domain, prefix) == (
        sorted(names),
        sorted(names),
        {f"{prefix}-web-api-000001": [f"{prefix}-web-api"], f"{prefix}_failed-000001": [f"{prefix}_failed"]},
        [f"{prefix}-read", "all_access"] if prefix < "all" else ["all_access", f"{prefix}-read"],
        {f"{prefix}-read": {**domain.security["rolesmapping"][f"{prefix}-read"], "backend_roles": ["arn:reader"]}},
        [("index-pattern", f"{prefix}-logs")],
    )


def test_documents_that_come_then_have_the_schema(run, domain, make_plan, prefix):
    run("Create", make_plan())
    domain.ask("POST", f"/{prefix}-web-2026-11-21/_doc", {"@timestamp": "2026-11-21T00:00:00Z", "new": 1})
    mapping = domain.ask("GET", f"/{prefix}-web-2026-11-21/_mapping")[f"{prefix}-web-2026-11-21"]["mappings"]
    assert mapping["dynamic"] == "false"
    assert sorted(mapping["properties"]) == ["@timestamp", "code"]


def test_second_delivery_writes_nothing_but_templates_and_objects(run, domain, make_plan, prefix):
    run("Create", make_plan())
    before = state(domain, prefix)
    domain.calls.clear()
    assert run("Create", make_plan())["Status"] == "SUCCESS"
    assert {path.split("/")[1] for _, path in domain.writes} == {"_index_template", "_dashboards"}
    assert state(domain, prefix) == before


def test_update_takes_away_what_the_new_plan_has_not(run, domain, make_plan, prefix):
    run("Create", make_plan())
    old, new = make_plan(), make_plan(routes=("web-api",))
    new["saved_objects"] = []
    assert run("Update", new, old=old)["Status"] == "SUCCESS"
    left = [f"{prefix}-web-api", f"{prefix}_failed"]
    templates, policies, *_, objects = state(domain, prefix)
    assert (templates, policies, objects) == (left, left, [])


def test_rollback_is_as_before_the_update(run, domain, make_plan, prefix):
    old, new = make_plan(), make_plan(days=3, readers=("arn:other",), routes=("web-api",))
    run("Create", old)
    before = state(domain, prefix)
    run("Update", new, old=old)
    assert state(domain, prefix) != before
    assert run("Update", old, old=new)["Status"] == "SUCCESS"
    assert state(domain, prefix) == before


def test_update_to_another_domain_takes_nothing_from_it(domain, make_plan, make_event, cloudformation, context):
    event = make_event("Update", make_plan(routes=()), old=make_plan())
    event["OldResourceProperties"]["Endpoint"] = "http://127.0.0.1:1"
    setup.handler(event, context())
    assert cloudformation.answer["Status"] == "SUCCESS"
    assert not [call for call in domain.calls if call[0] == "DELETE"]


def test_delete_leaves_the_indices_and_their_documents(run, domain, make_plan, prefix):
    run("Create", make_plan())
    domain.ask("POST", f"/{prefix}-web-api/_doc?refresh=true", {"@timestamp": "2026-11-21T00:00:00Z"})
    told = run("Delete", make_plan())
    assert told["Status"] == "SUCCESS"
    assert told["Data"]["Skipped"] == ""
    templates, policies, behind, roles, mappings, objects = state(domain, prefix)
    assert (templates, policies, roles, mappings, objects) == ([], [], ["all_access"], {}, [])
    assert sorted(behind) == [f"{prefix}-web-api-000001", f"{prefix}_failed-000001"]
    assert domain.ask("GET", f"/{prefix}-web-api/_count")["count"] == 1


def test_delete_succeeds_twice_and_when_nothing_was_made(run, make_plan):
    assert run("Delete", make_plan())["Status"] == "SUCCESS"
    assert run("Delete", make_plan())["Status"] == "SUCCESS"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "https://search-gone.invalid"])
def test_delete_succeeds_when_the_domain_is_gone(run, make_plan, endpoint, monkeypatch):
    monkeypatch.setattr(setup, "DELETE_SECONDS", 0.2)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    told = run("Delete", make_plan(), Endpoint=endpoint)
    assert told["Status"] == "SUCCESS"
    assert "no answer" in told["Data"]["Skipped"]


def test_delete_succeeds_after_a_create_that_made_no_sense(run):
    assert run("Delete", {})["Status"] == "SUCCESS"


def test_delete_goes_on_when_a_part_is_refused(run, domain, make_plan):
    run("Create", make_plan())
    domain.without = {"dashboards"}
    told = run("Delete", make_plan())
    assert told["Status"] == "SUCCESS"
    assert told["Data"]["Skipped"].startswith("saved objects: DELETE /_dashboards/")
    assert domain.policies == {}


@pytest.mark.parametrize("status", [503, 403, 429, 502])
def test_fresh_domain_is_waited_for(run, domain, make_plan, status):
    domain.fail_with = [status] * 5
    assert run("Create", make_plan())["Status"] == "SUCCESS"


def test_domain_that_stays_away_is_told_before_lambda_ends_us(run, domain, make_plan):
    domain.fail_with = [503] * 100_000
    started = time.monotonic()
    told = run("Create", make_plan(), seconds=8)
    assert time.monotonic() - started < 8
    assert told["Status"] == "FAILED"
    assert told["Reason"] == "ClusterError: GET /: 503: not yet"


def test_access_that_stays_refused_is_not_waited_for_all_the_time(run, domain, make_plan, monkeypatch):
    monkeypatch.setattr(setup, "FORBIDDEN_SECONDS", 0.3)
    domain.fail_with = [403] * 100_000
    started = time.monotonic()
    assert run("Create", make_plan())["Reason"] == "ClusterError: GET /: 403: not yet"
    assert time.monotonic() - started < 60


def test_wrong_signature_is_told_without_what_was_signed(run, domain, make_plan, monkeypatch, capsys):
    monkeypatch.setattr(setup, "FORBIDDEN_SECONDS", 0)
    said = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method.\n\nThe Canonical String for this request should have been\n'GET\n/\n\nhost:x\n"
        "x-amz-security-token:IQoJsecret\n'"
    )
    monkeypatch.setattr(domain, "_forward", lambda *_: (403, json.dumps({"message": said}).encode()))
    reason = run("Create", make_plan())["Reason"]
    assert reason.endswith("Check your AWS Secret Access Key and signing method.")
    assert "IQoJ" not in capsys.readouterr().out


def test_request_that_hangs_is_ended_before_lambda_ends_us(run, domain, make_plan):
    domain.hang_at = 3
    started = time.monotonic()
    told = run("Create", make_plan(), seconds=8)
    assert time.monotonic() - started < 8
    assert told["Status"] == "FAILED"


@pytest.fixture
def dripping():
    """The address of a server whose answer goes on for ever, a byte at a time."""
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve():
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n")
            while not ended.wait(0.05):
                connection.sendall(b" ")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    ended.set()
    server.close()
    thread.join(timeout=120)


@pytest.mark.parametrize(("kind", "status"), [("Create", "FAILED"), ("Delete", "SUCCESS")])
def test_answer_without_an_end_is_ended_before_lambda_ends_us(run, make_plan, dripping, kind, status):
    started = time.monotonic()
    told = run(kind, make_plan(), seconds=6, Endpoint=dripping)
    assert time.monotonic() - started < 6
    assert told["Status"] == status
    assert "OutOfTimeError: Lambda's time is nearly over" in json.dumps(told)


def test_answer_is_given_again_when_its_address_fails(run, cloudformation, make_plan):
    cloudformation.fail_with = [500, 503]
    assert run("Create", make_plan())["Status"] == "SUCCESS"
    assert cloudformation.puts == 3


def test_address_that_refuses_makes_lambda_invoke_us_again_and_is_not_told(run, cloudformation, make_plan, capsys):
    cloudformation.fail_with = [403]
    with pytest.raises(AnswerError) as raised:
        run("Create", make_plan())
    told = capsys.readouterr()
    assert "secret" not in f"{raised.value!r}{raised.value.__cause__!r}{told.out}{told.err}"
    assert cloudformation.puts == 1


def test_index_in_the_place_of_an_alias_is_told_with_the_remedy(run, domain, make_plan, prefix):
    domain.ask("PUT", f"/{prefix}-web-api")
    told = run("Create", make_plan())
    assert told["Status"] == "FAILED"
    assert f"{prefix}-web-api is an index" in told["Reason"]
    assert "delete it, and deploy again" in told["Reason"]
    domain.ask("DELETE", f"/{prefix}-web-api")
    assert run("Create", make_plan())["Status"] == "SUCCESS"


def test_alias_without_a_write_index_is_told_with_the_remedy(run, domain, make_plan, prefix):
    for number in (1, 2):
        domain.ask("PUT", f"/{prefix}-web-api-00000{number}", {"aliases": {f"{prefix}-web-api": {}}})
    assert "none of its 2 indices is its write index" in run("Create", make_plan())["Reason"]


def test_alias_that_rolled_over_is_left_alone(run, domain, make_plan, prefix):
    run("Create", make_plan())
    domain.ask("POST", f"/{prefix}-web-api/_rollover")
    domain.ask("DELETE", f"/{prefix}-web-api-000001")
    assert run("Update", make_plan(days=3), old=make_plan())["Status"] == "SUCCESS"
    assert [index for index in aliases(domain, prefix) if "web-api" in index] == [f"{prefix}-web-api-000002"]


def test_template_that_opensearch_refuses_is_told_with_its_reason(run, make_plan, prefix):
    plan = make_plan()
    plan["templates"][f"{prefix}-web"]["template"]["mappings"]["properties"]["x"] = {"type": "nonsense"}
    reason = run("Create", plan)["Reason"]
    assert f"PUT /_index_template/{prefix}-web: 400" in reason
    assert "No handler for type [nonsense]" in reason


def test_long_reason_is_cut(run, domain, make_plan):
    domain.refused_objects = {f"{make_plan()['prefix']}-logs": "é" * 9000}
    reason = run("Create", make_plan())["Reason"]
    assert 900 < len(reason.encode()) <= 1000


def test_objects_that_dashboards_refuses_are_an_error(run, domain, make_plan, prefix):
    domain.refused_objects = {f"{prefix}-logs": "missing_references"}
    assert f"index-pattern {prefix}-logs: missing_references" in run("Create", make_plan())["Reason"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Plan": "{"}, "not complete"),
        ({"Plan": "{}"}, "no templates"),
        ({"Service": "s3"}, "neither es nor aoss"),
        ({"Endpoint": "http://10.0.0.1:9200"}, "neither https"),
        ({"Endpoint": "https://search.example.com", "Lenient": "true"}, "this machine alone"),
    ],
)
def test_wrong_property_is_told(run, make_plan, change, told):
    given = run("Create", make_plan(), **change)
    assert given["Status"] == "FAILED"
    assert told in given["Reason"]


def test_domain_without_access_control_is_reported(run, domain, make_plan):
    domain.without = {"security"}
    told = run("Create", make_plan())
    assert (told["Status"], told["Data"]["Skipped"]) == ("SUCCESS", "roles: no fine-grained access control")


@pytest.mark.parametrize("plugin", ["ism", "dashboards"])
def test_domain_without_policies_or_dashboards_is_an_error(run, domain, make_plan, plugin):
    domain.without = {plugin}
    assert run("Create", make_plan())["Status"] == "FAILED"


def test_bare_opensearch_is_set_up_as_far_as_it_goes_when_told_to_be_lenient(run, domain, make_plan, prefix):
    domain.without = {"ism", "security", "dashboards"}
    told = run("Create", make_plan(), Lenient="true")
    assert told["Status"] == "SUCCESS", told
    policies, roles, objects = told["Data"]["Skipped"].split("; ")
    assert policies == "policies: opensearch-index-management is not there"
    assert roles == "roles: no fine-grained access control"
    assert objects.startswith("saved objects: POST /_dashboards/api/saved_objects/_import: 4")
    assert sorted(aliases(domain, prefix)) == [f"{prefix}-web-api-000001", f"{prefix}_failed-000001"]


def test_dashboards_with_a_sign_in_of_its_own_is_reported(run, domain, make_plan, monkeypatch):
    monkeypatch.setattr(domain, "_dashboards", lambda *_: (302, b""))
    told = run("Create", make_plan())
    assert told["Status"] == "SUCCESS"
    assert "saved objects" in told["Data"]["Skipped"]


def test_collection_gets_its_index_and_no_policies(run, domain, make_plan, prefix):
    domain.without = {"ism", "security", "dashboards"}
    plan = {**make_plan(), "policies": {}, "roles": {}, "role_mappings": {}, "saved_objects": []}
    plan["templates"] = {}
    plan["indices"] = {f"{prefix}-web": {"mappings": {"dynamic": False}}}
    assert run("Create", plan, Service="aoss")["Status"] == "SUCCESS"
    assert ("GET", "/") not in domain.calls
    assert domain.ask("GET", f"/{prefix}-web/_mapping")[f"{prefix}-web"]["mappings"] == {"dynamic": "false"}
    domain.calls.clear()
    assert run("Create", plan, Service="aoss")["Status"] == "SUCCESS"
    assert domain.writes == []


@pytest.mark.parametrize("step", [1, 5, 9, 14, 18, 22])
def test_function_killed_between_two_steps_ends_right_the_second_time(  # noqa: PLR0917 - fixtures
    step, domain, make_event, make_plan, cloudformation, context, prefix
):
    event = make_event("Create", make_plan())
    domain.hang_at = step
    process = subprocess.Popen([sys.executable, "-c", RUN], stdin=subprocess.PIPE, cwd=ROOT)
    assert process.stdin
    process.stdin.write(json.dumps(event).encode())
    process.stdin.close()
    deadline = time.monotonic() + 120
    while len(domain.calls) < step and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.05)
    process.kill()
    process.wait(timeout=120)
    assert len(domain.calls) == step
    assert cloudformation.answers == []
    domain.hang_at = None
    setup.handler(event, context())
    assert cloudformation.answer["Status"] == "SUCCESS"
    templates, policies, behind, roles, mappings, objects = state(domain, prefix)
    assert [len(part) for part in (templates, policies, behind, roles, mappings, objects)] == [3, 3, 2, 2, 1, 1]
    assert sorted(domain.managed) == sorted(behind)
