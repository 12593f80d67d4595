"""What OpenSearch is told: which indices, how long, for whom."""

import base64
import gzip
import json
from fnmatch import fnmatchcase

import pytest

from lambdas.search import setup
from sluice import names
from sluice.destinations import OpenSearchDestination
from sluice.model import Retention
from sluice.routes import Route
from sluice.search.plan import packed, plan
from sluice.search.policies import HOURS, policies
from sluice.search_settings import Collection, Domain, Rollover

WRITER, READER, QUARANTINE = (f"arn:aws:iam::111122223333:role/{name}" for name in ("w", "r", "q"))
USER = "arn:aws:iam::111122223333:user/jane"


@pytest.fixture
def make(here):
    """Make a deployment with these routes to OpenSearch, by name and rotation, and one to S3."""

    def go(*, search=None, retention=None, **rotations):
        routes = [
            Route(
                name=name.replace("_", "-"),
                match=f"{name}*",
                destination=OpenSearchDestination(kind="opensearch", rotation=rotation),
            )
            for name, rotation in rotations.items()
        ]
        update = {
            "search": search or Domain(rollover=Rollover(size_gib=20, days=5)),
            "retention": retention or Retention(search_days=14, failed_days=90),
            "routes": (*routes, Route(name="rest", match="*")),
        }
        return here.model_copy(update=update)

    return go


def planned(deployment):
    return plan(deployment, writers=[WRITER], readers=[READER, USER], quarantine=[QUARANTINE])


def until(policy):
    kept, deleted = policy["policy"]["states"]
    assert policy["policy"]["default_state"] == kept["name"]
    assert (deleted["actions"], deleted["transitions"]) == ([{"delete": {}}], [])
    (transition,) = kept["transitions"]
    assert transition["state_name"] == deleted["name"]
    return kept["actions"], transition["conditions"]


@pytest.mark.parametrize(("rotation", "hours"), [("hour", 337), ("day", 360), ("week", 504), ("month", 1080)])
def test_document_that_comes_at_the_end_of_its_index_stays_as_long_as_promised(make, rotation, hours):
    deployment = make(web=rotation)
    actions, conditions = until(policies(deployment)[names.index(deployment, deployment.routes[0])])
    assert actions == []
    assert conditions == {"min_index_age": f"{hours}h"}
    assert hours == 14 * 24 + HOURS[rotation]


def test_index_without_rotation_rolls_over_and_goes_after_that(make):
    deployment = make(web="none")
    actions, conditions = until(policies(deployment)["sluice-dev-web"])
    assert actions == [{"rollover": {"min_size": "20gb", "min_index_age": "5d"}}]
    assert conditions == {"min_rollover_age": "14d"}


def test_failed_index_is_bounded_by_its_own_days(make):
    actions, conditions = until(policies(make(web="day"))["sluice-dev_failed"])
    assert actions == [{"rollover": {"min_size": "10gb", "min_index_age": "30d"}}]
    assert conditions == {"min_rollover_age": "90d"}


def test_collection_has_neither_policies_nor_roles(make):
    told = planned(make(search=Collection(kind="serverless"), web="none"))
    assert (told["policies"], told["roles"], told["role_mappings"]) == ({}, {}, {})


def test_collection_has_its_indices_by_their_plain_names(make):
    told = planned(make(search=Collection(kind="serverless"), web="none"))
    assert set(told["indices"]) == {"sluice-dev-web", "sluice-dev_failed"}
    for name, body in told["indices"].items():
        assert set(body) == {"mappings"}
        assert body["mappings"]["properties"]["@timestamp"] == {"type": "date_nanos"}
        assert told["templates"][name]["index_patterns"] == [name]
        assert told["templates"][name]["template"] == body


def test_alias_has_its_first_index_where_nothing_rotates(make):
    told = planned(make(web="none", api="day"))
    assert told["indices"] == {
        "sluice-dev-web-000001": {"aliases": {"sluice-dev-web": {"is_write_index": True}}},
        "sluice-dev_failed-000001": {"aliases": {"sluice-dev_failed": {"is_write_index": True}}},
    }
    rolls = {
        name: body["template"]["settings"].get("index.plugins.index_state_management.rollover_alias")
        for name, body in told["templates"].items()
    }
    assert rolls == {
        "sluice-dev-web": "sluice-dev-web",
        "sluice-dev-api": None,
        "sluice-dev_failed": "sluice-dev_failed",
    }


@pytest.mark.parametrize("kind", ["templates", "policies"])
def test_every_index_falls_to_its_own_route_though_names_begin_alike(make, kind):
    told = planned(make(web="day", web_api="day", web_api_2="none"))[kind]
    for name in told:
        for index in (f"{name}-2026-11-21", f"{name}-000001"):
            fit = [(priority, of) for of, priority, pattern in rules(told) if fnmatchcase(index, pattern)]
            assert max(fit)[1] == name
            assert len({priority for priority, _ in fit}) == len(fit), "OpenSearch refuses two of the same priority"


def rules(told):
    for name, body in told.items():
        for rule in body["policy"]["ism_template"] if "policy" in body else [body]:
            for pattern in rule["index_patterns"]:
                yield name, rule["priority"], pattern


def test_policy_of_another_content_is_told_from_the_one_before(make):
    told = [
        policies(make(search=Domain(rollover=Rollover(size_gib=size)), web="none"))["sluice-dev-web"]
        for size in (7, 7, 8)
    ]
    one, same, other = (policy["policy"]["description"] for policy in told)
    assert one == same != other


def allowed(role):
    return {pattern: set(of["allowed_actions"]) for of in role["index_permissions"] for pattern in of["index_patterns"]}


def test_firehose_writes_to_its_routes_indices_alone(make):
    role = planned(make(web="day", api="none"))["roles"]["sluice-dev-write"]
    may = allowed(role)
    own = {"sluice-dev-web", "sluice-dev-web-*", "sluice-dev-api", "sluice-dev-api-*"}
    assert set(may) == {*own, "*"}
    assert may["*"] == {"indices:monitor/settings/get", "indices:monitor/stats"}
    for pattern in own:
        assert not [action for action in may[pattern] if "read" in action or "delete" in action or action == "*"]
    assert role["cluster_permissions"] == ["cluster_monitor", "indices:data/write/bulk"]


def test_quarantine_writes_to_the_failed_index_alone(make):
    role = planned(make(web="day"))["roles"]["sluice-dev-quarantine"]
    assert set(allowed(role)) == {"sluice-dev_failed", "sluice-dev_failed-*"}


def test_readers_read_and_do_not_write_logs(make):
    may = allowed(planned(make(web="day"))["roles"]["sluice-dev-read"])
    for pattern in ("sluice-dev-*", "sluice-dev_failed", "sluice-dev_failed-*"):
        assert may[pattern] == {"read", "indices:admin/mappings/get"}


def test_roles_are_given_to_whom_they_are_for(make):
    assert planned(make(web="day"))["role_mappings"] == {
        "sluice-dev-write": {"backend_roles": [WRITER], "users": []},
        "sluice-dev-quarantine": {"backend_roles": [QUARANTINE], "users": []},
        "sluice-dev-read": {"backend_roles": [READER], "users": [USER]},
    }


def test_packed_plan_is_small_has_the_tokens_outside_and_is_what_it_was(make):
    made = planned(make(**{f"route_{number}": "none" for number in range(20)}))
    text = json.dumps(packed(made))
    assert len(text) < 20_000 < len(json.dumps(made))
    assert WRITER in text
    assert packed(made) == packed(made)
    read = setup._read({"Plan": text, "Endpoint": "https://search.example.com", "Service": "es"}).plan
    assert {key: read[key] for key in made} == made


def test_packed_plan_that_is_damaged_is_told():
    text = json.dumps({"packed": base64.b64encode(gzip.compress(b"{}")[:-9]).decode()})
    for damaged in (text, '{"packed": "%"}', '{"packed": ""}'):
        with pytest.raises(setup.RequestError):
            setup._read({"Plan": damaged, "Endpoint": "https://search.example.com", "Service": "es"})
