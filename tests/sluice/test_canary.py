"""What the canary is told follows from the configuration, and what it cannot watch is told."""

import json

from sluice import canary
from sluice.advice import advise
from sluice.checks import config as breaches
from sluice.local_run import local_deployment
from sluice.model import Architecture, Config, deployment

BASE = {
    "name": "shop",
    "environments": {"prod": {}, "dev": {"canary": {"enabled": False}}},
    "search": {"kind": "domain"},
}


def config(*routes, **other):
    return Config.model_validate({**BASE, "routes": list(routes), **other})


def there(*routes, **other):
    return deployment(config(*routes, **other), "prod")


def unwatched(*routes, **other):
    return {each.route.name: each.why for each in canary.plan(there(*routes, **other))[1]}


def test_each_route_has_its_tag_its_place_and_its_longest_delivery():
    web = {"name": "web", "match": "web*", "destination": {"kind": "opensearch"}}
    quick = {"name": "quick", "match": "q*", "buffering": {"interval_seconds": 10, "transform_interval_seconds": 2}}
    told = json.loads(canary.told(there(web, quick)))
    assert told["routes"] == [
        ["web", "web-sluice-canary", "search", "shop-prod-web", 10 + 60 + 5 + 5, 60 + 5],
        ["quick", "q-sluice-canary", "s3", "logs/route=quick/", 10 + 2 + 5, 10],
        ["catch-all", "sluice-canary", "s3", "logs/route=catch-all/", 300 + 60 + 5, 300],
    ]
    assert told["host"] == "logs.shop-prod.internal"
    assert told["ports"] == [24224]
    assert (told["per_minute"], told["margin"], told["read_bytes"]) == (6, 60, 1024**3)


def test_a_run_is_the_environments_own():
    assert canary.run_number("shop-prod") != canary.run_number("shop-dev")


def test_tracers_of_a_divided_route_lie_in_one_folder():
    keys = [
        {"name": "tenant", "field": "attributes.tenant", "values": ["acme"]},
        {"name": "tag", "field": "tag"},
        {"name": "text", "field": "body", "values": ["a"]},
    ]
    route = {"name": "t", "match": "t@*", "destination": {"kind": "s3", "partition_by": keys}}
    [watched, _] = canary.plan(there(route))[0]
    assert watched.place == "logs/route=t/tenant=none/tag=t_sluice-canary/text=other/"


def test_what_cannot_be_watched_is_told_by_name():
    parquet = {"name": "p", "match": "p*", "destination": {"kind": "s3", "format": "parquet"}}
    by = [{"name": "who", "field": "resource.service.name", "values": ["a"]}]
    divided = {"name": "d", "match": "d*", "destination": {"kind": "s3", "partition_by": by}}
    hidden = [{"name": "a", "match": "a*"}, {"name": "b", "match": "*b"}, {"name": "ab", "match": "ab"}]
    found = unwatched(parquet, divided, *hidden)
    assert found.keys() == {"p", "d", "ab"}
    assert "Parquet" in found["p"]
    assert "folder" in found["d"]
    advice = [breach.message for breach in advise(config(parquet))]
    assert "the canary does not watch this route: the canary cannot read Parquet" in advice


def test_a_search_that_cannot_be_reached_is_told():
    web = {"name": "web", "match": "web*", "destination": {"kind": "opensearch"}}
    public = {"search": {"kind": "domain", "access": "public"}}
    assert unwatched(web, **public) == {}
    assert unwatched(web, **public, network={"kind": "new", "egress": "endpoints"}).keys() == {"web"}
    assert unwatched(web, network={"kind": "new", "egress": "endpoints"}) == {}


def test_an_environment_can_do_without():
    parquet = {"name": "p", "match": "p*", "destination": {"kind": "s3", "format": "parquet"}}
    here = config(parquet, environments={"dev": {"canary": {"enabled": False}}})
    assert not deployment(here, "dev").canary.enabled
    assert deployment(here, "dev").canary.tracers_per_minute == 6
    assert not any("canary" in breach.message for breach in advise(here))


def test_more_routes_than_the_functions_environment_holds_are_refused():
    def found(count):
        routes = [{"name": f"route-{at}", "match": f"route-{at}.*"} for at in range(count)]
        return [breach for breach in breaches(config(*routes)) if breach.path == ("canary", "enabled")]

    assert found(25) == []
    [breach] = found(60)
    assert "61 routes" in breach.message


def test_the_load_tests_tasks_have_sizes_that_exist():
    def found(**sizes):
        return {breach.path for breach in breaches(config(load_test=sizes)) if breach.path[0] == "load_test"}

    assert found() == found(cpu=16384, memory_mib=122880) == set()
    assert found(cpu=4096, memory_mib=4096) == {("load_test", "memory_mib")}
    assert found(cpu=3000) == {("load_test", "cpu")}


def test_the_local_run_has_one_only_where_it_is_asked_for():
    def local(**asked):
        return local_deployment(
            config({"name": "a", "match": "a*"}), architecture=Architecture.ARM64, python="3.13", search=None, **asked
        )

    assert not local().canary.enabled
    assert local(canary=True).canary.enabled
    assert json.loads(canary.told(local(canary=True)))["margin"] < 10
