"""Which policy is written, and which index has it."""

import time

import pytest

from lambdas.search import lifecycle
from lambdas.search.client import open_client
from lambdas.search.cluster import Cluster, Deadline


@pytest.fixture
def cluster(domain):
    return Cluster(open_client(domain.url, "es"), deadline=Deadline(time.monotonic() + 300), forbidden_seconds=0)


@pytest.fixture
def make_index(domain):
    def make(name, *, policy=None):
        domain.ask("PUT", f"/{name}", {"settings": {"number_of_replicas": 0}})
        if policy:
            domain.managed[name] = {"policy_id": policy, "policy": {"description": "somebody's"}}

    return make


def test_unchanged_policy_is_not_written(cluster, domain, make_plan):
    policies = make_plan()["policies"]
    lifecycle.put_policies(cluster, policies)
    domain.calls.clear()
    lifecycle.put_policies(cluster, policies)
    assert domain.writes == []


def test_changed_policy_is_written_over_the_version_that_was_read(cluster, domain, make_plan, prefix):
    lifecycle.put_policies(cluster, make_plan(days=14)["policies"])
    lifecycle.put_policies(cluster, make_plan(days=3)["policies"])
    held = domain.policies[f"{prefix}-web"]["policy"]
    assert held["states"][0]["transitions"][0]["conditions"] == {"min_index_age": "3d"}


def test_policy_that_somebody_changed_is_put_right(cluster, domain, make_plan, prefix):
    lifecycle.put_policies(cluster, make_plan()["policies"])
    domain.policies[f"{prefix}-web"]["policy"]["default_state"] = "deleted"
    lifecycle.put_policies(cluster, make_plan()["policies"])
    assert domain.policies[f"{prefix}-web"]["policy"]["default_state"] == "kept"


def test_policy_that_another_delivery_writes_meanwhile_is_read_again(cluster, domain, make_plan):
    policies = make_plan()["policies"]
    read = domain._policy
    raced = []

    def race(method, name, query, body):
        if method == "GET" and not raced:
            raced.append(name)
            told = read("GET", name, {}, b"")
            lifecycle.put_policies(cluster, {name: policies[name]})
            return told
        return read(method, name, query, body)

    domain._policy = race
    lifecycle.put_policies(cluster, policies)
    assert sorted(domain.policies) == sorted(policies)
    assert raced


def test_existing_indices_get_the_policy_of_the_most_exact_name(cluster, domain, make_plan, make_index, prefix):
    for name in (f"{prefix}-web-2026-11-20", f"{prefix}-web-api-000001", f"{prefix}-other-1"):
        make_index(name)
    lifecycle.put_policies(cluster, make_plan()["policies"])
    given = {name: held["policy_id"] for name, held in domain.managed.items()}
    assert given == {f"{prefix}-web-2026-11-20": f"{prefix}-web", f"{prefix}-web-api-000001": f"{prefix}-web-api"}


def test_index_with_the_policy_before_the_change_gets_the_new_one(cluster, domain, make_plan, make_index, prefix):
    make_index(f"{prefix}-web-1")
    lifecycle.put_policies(cluster, make_plan(days=14)["policies"])
    lifecycle.put_policies(cluster, make_plan(days=3)["policies"])
    assert domain.managed[f"{prefix}-web-1"]["policy"]["description"] == "3"


def test_change_that_was_cut_short_before_the_indices_had_it_is_finished(
    cluster, domain, make_plan, make_index, prefix
):
    make_index(f"{prefix}-web-1")
    lifecycle.put_policies(cluster, make_plan(days=14)["policies"])
    for name, body in make_plan(days=3)["policies"].items():
        lifecycle._put(cluster, name, body)
    assert domain.managed[f"{prefix}-web-1"]["policy"]["description"] == "14"
    lifecycle.put_policies(cluster, make_plan(days=3)["policies"])
    assert domain.managed[f"{prefix}-web-1"]["policy"]["description"] == "3"


def test_index_that_somebody_gave_another_policy_keeps_it(cluster, domain, make_plan, make_index, prefix):
    make_index(f"{prefix}-web-1", policy="theirs")
    lifecycle.put_policies(cluster, make_plan()["policies"])
    assert domain.managed[f"{prefix}-web-1"]["policy_id"] == "theirs"


def test_index_that_was_not_looked_at_yet_is_left_alone(cluster, domain, make_plan, make_index, prefix):
    make_index(f"{prefix}-web-1", policy=f"{prefix}-web")
    domain.managed[f"{prefix}-web-1"]["policy"] = None
    lifecycle.put_policies(cluster, make_plan()["policies"])
    assert not [path for _, path in domain.writes if "/_ism/add" in path or "/_ism/change" in path]


def test_index_that_cannot_be_given_its_policy_is_told(cluster, domain, make_plan, make_index, prefix):
    make_index(f"{prefix}-web-1")
    ism = domain._ism

    def refuse(method, path, query, body):
        if "/add/" in path:
            failed = [{"index_name": f"{prefix}-web-1", "reason": "This index is closed"}]
            return 200, {"updated_indices": 0, "failures": True, "failed_indices": failed}
        return ism(method, path, query, body)

    domain._ism = refuse
    with pytest.raises(lifecycle.NotAttachedError, match=f"{prefix}-web-1: This index is closed"):
        lifecycle.put_policies(cluster, make_plan()["policies"])


def test_many_indices_are_asked_for_in_lines_that_opensearch_takes():
    names = [f"sluice-prod-web-2026-11-21-{hour:04}" for hour in range(900)]
    parts = list(lifecycle._together(names))
    assert max(map(len, parts)) <= lifecycle.NAMES_LENGTH + len(names[0])
    assert ",".join(parts).split(",") == names
    assert list(lifecycle._together([])) == []
