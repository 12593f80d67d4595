"""Whom a role is given to, and from whom it is taken."""

import time

import pytest

from lambdas.search import access
from lambdas.search.client import open_client
from lambdas.search.cluster import Cluster, ClusterError, Deadline


@pytest.fixture
def cluster(domain):
    return Cluster(open_client(domain.url, "es"), deadline=Deadline(time.monotonic() + 300), forbidden_seconds=0)


def who(*backend_roles, users=()):
    return {"role": {"backend_roles": list(backend_roles), "users": list(users)}}


def test_who_was_added_by_hand_stays(cluster, domain):
    access.put_mappings(cluster, who("ours"), {})
    domain.security["rolesmapping"]["role"]["backend_roles"].append("saml")
    domain.security["rolesmapping"]["role"]["hosts"] = ["10.0.0.1"]
    access.put_mappings(cluster, who("ours", "more", users=["arn:user"]), who("ours"))
    held = domain.security["rolesmapping"]["role"]
    assert sorted(held["backend_roles"]) == ["more", "ours", "saml"]
    assert (held["users"], held["hosts"]) == (["arn:user"], ["10.0.0.1"])


def test_who_was_in_the_last_plan_and_is_not_in_this_one_loses_it(cluster, domain):
    access.put_mappings(cluster, who("ours", "gone", users=["arn:user"]), {})
    domain.security["rolesmapping"]["role"]["backend_roles"].append("saml")
    access.put_mappings(cluster, who("ours"), who("ours", "gone", users=["arn:user"]))
    held = domain.security["rolesmapping"]["role"]
    assert (sorted(held["backend_roles"]), held["users"]) == (["ours", "saml"], [])


def test_role_that_somebody_else_was_given_stays(cluster, domain):
    roles = {"role": {"cluster_permissions": []}, "other": {"cluster_permissions": []}}
    access.put_roles(cluster, roles)
    access.put_mappings(cluster, who("ours"), {})
    domain.security["rolesmapping"]["role"]["backend_roles"].append("saml")
    access.put_mappings(cluster, {}, who("ours"))
    access.delete_roles(cluster, roles)
    assert domain.security["rolesmapping"]["role"]["backend_roles"] == ["saml"]
    assert set(domain.security["roles"]) == {"all_access", "role"}


def test_nothing_is_written_where_it_is_so(cluster, domain):
    roles = {"role": {"cluster_permissions": ["cluster_monitor"], "index_permissions": []}}
    for _ in range(2):
        domain.calls.clear()
        access.put_roles(cluster, roles)
        access.put_mappings(cluster, who("b", "a"), who("a"))
    assert domain.writes == []


def test_role_that_lost_an_action_is_written(cluster, domain):
    access.put_roles(cluster, {"role": {"cluster_permissions": ["a", "b"]}})
    access.put_roles(cluster, {"role": {"cluster_permissions": ["a"]}})
    assert domain.security["roles"]["role"]["cluster_permissions"] == ["a"]


@pytest.mark.parametrize(
    ("status", "told", "absent"),
    [
        (400, {"error": "no handler found for uri [/x] and method [GET]"}, True),
        (401, {"Message": "Your request: '/_plugins/_security/api/roles' is not allowed."}, True),
        (401, {"message": "Unauthorized"}, None),
        (403, {"message": "no permissions"}, None),
        (500, {"message": "broken"}, None),
    ],
)
def test_no_access_control_is_told_from_no_access(cluster, domain, status, told, absent):
    domain._security = lambda *_: (status, told)
    if absent:
        assert access.is_absent(cluster)
    else:
        with pytest.raises(ClusterError, match=str(status)):
            access.is_absent(cluster)


def test_access_control_that_is_there_is_found(cluster):
    assert not access.is_absent(cluster)
