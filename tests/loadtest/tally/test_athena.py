"""The same documents through the tally and through Athena's SQL, which DuckDB runs, come to the same account.

What is not proven here is what stands in tests/athena/conftest.py, and that Athena has "$file_modified_time".
"""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.marker import Marker
from loadtest.tally import Mark, Result, account_from_rows
from loadtest.tally.athena import delivered_sql, failed_sql, hours
from sluice import names
from sluice.athena.queries import qualified
from sluice.athena.tables import FAILED
from sluice.model import Config, deployment
from tests.athena_lake import Lake

BEGAN = 1_800_000_000.0
ROUTES = ("frontend", "backend")
COUNTS = (
    *("sent", "acknowledged", "delivered", "failed", "failed_by_reason", "dropped", "lost", "lost_acknowledged"),
    *("duplicated", "duplicated_otherwise", "misrouted", "unexpected"),
)


def environment() -> Any:
    destination = {"kind": "s3", "partition_by": [{"name": "service", "field": "resource.service.name"}]}
    routes: list[Any] = [{"name": name, "match": f"{name}*", "destination": {"kind": "s3"}} for name in ROUTES]
    routes[1] |= {"destination": destination, "buffering": {"size_mib": 128, "interval_seconds": 900}}
    return deployment(Config.model_validate({"name": "shop", "environments": {"dev": {}}, "routes": routes}), "dev")


def told_of(here: Any, route: Any, **how: Any) -> str:
    return delivered_sql(qualified(here, names.table(route)), route=route.name, **how)


class Both:
    """Gives the same to a tally and to a lake."""

    def __init__(self, run: Any, lake: Lake) -> None:
        self._run, self._lake = run, lake

    def deliver(self, route: str, *documents: dict[str, Any], at: float = BEGAN + 200) -> None:
        self._run.tally.deliver(
            b"".join(json.dumps(each).encode() + b"\n" for each in documents), route=route, readable_at=at
        )
        for each in documents:
            columns = {name: each.get(name) for name in ("event_id", "body", "attributes", "tag")}
            self._lake.put(route, at=at, hour=BEGAN, **columns)

    def fail(self, route: str, reason: str, *texts: str) -> None:
        data = base64.b64encode("\n".join(texts).encode()).decode()
        self._run.tally.fail(json.dumps({"rawData": data}).encode(), reason=reason, route=route)
        self._lake.put("all__failed", at=BEGAN, rawdata=data, route=route, reason=reason)

    def results(self, journal: Any, **told: Any) -> tuple[Result, Result]:
        here, plan = environment(), self._run.plan
        span = {"plan": plan, "began": BEGAN, "until": BEGAN + 60}
        rows = [
            row for route in here.routes if route.name in ROUTES for row in self._lake.ask(told_of(here, route, **span))
        ]
        failed = list(self._lake.ask(failed_sql(qualified(here, FAILED), **span)))
        by_sql = account_from_rows(
            plan,
            journal,
            rows,
            failed=failed,
            route_of=lambda tag: tag.partition("-")[0],
            folder=self._run.folder,
            **told,
        )
        return self._run.tally.close(journal, **told), by_sql


@pytest.fixture(scope="module")
def the_lake() -> Lake:
    return Lake("shop_dev", {"frontend": (), "backend": ("service",)})


@pytest.fixture
def lake(the_lake: Lake) -> Lake:
    the_lake.clear()
    return the_lake


def assert_agree(one: Result, other: Result) -> None:
    for first, second in zip(
        (*one.loads, *one.routes, one.total), (*other.loads, *other.routes, other.total), strict=True
    ):
        assert {name: getattr(first, name) for name in COUNTS} == {name: getattr(second, name) for name in COUNTS}
        assert first.latency == second.latency
        assert (second.reordered, second.altered) == (None, None)
    assert one.marks == other.marks
    lost = [{each for each in result.examples if each.kind.startswith(("lost", "failed"))} for result in (one, other)]
    assert lost[0] == lost[1]
    assert {each.name for each in one.breaches} - {"altered"} == {each.name for each in other.breaches}


def test_sql_and_tally_agree(run: Any, lake: Lake) -> None:
    both = Both(run, lake)
    skipped = {(0, 0), (0, 7), (0, 8), (0, 20), (0, 21), (0, 22), (0, 30), (1, 49), (2, 3), (2, 4)}
    for at, (source, sequence) in enumerate(run.everything(but=skipped)):
        both.deliver(run.route(source), run.document(source, sequence), at=BEGAN + 1 + at)
    both.deliver("frontend", *[run.document(0, 5)] * 3, run.document(0, 6, event_id="f" * 32), run.document(1, 5))
    both.deliver("backend", run.document(0, 30), run.document(0, 31), run.document(2, 19))
    joined = "\n".join(run.text(0, number) for number in (20, 21, 22))
    both.deliver("frontend", run.document(0, 20, body=joined, attributes={"log.record.lines": 3}))
    both.deliver("frontend", run.document(0, 21), run.document(0, 22, attributes={"twice": run.text(0, 22)}))
    for strange in (Marker(run.plan.run, 9, 0, 0), Marker(run.plan.run, 0, 50, 0), Marker(run.plan.run + 1, 0, 0, 0)):
        both.deliver("frontend", {"event_id": "e", "body": strange.encode().decode()})
    hostile = {
        "a": "x' OR '1'='1\\\"event_id\\\":\\\"f\\\"",
        "event_id": "f" * 32,
        "d": [run.text(1, 9), "\u0000 \ud83d\ude00"],
    }
    both.deliver(
        "frontend", {"event_id": "e", "body": "sltabc slt", "attributes": None}, run.document(1, 9, attributes=hostile)
    )
    both.fail("frontend", "processing-failed", run.text(0, 7), run.text(0, 8), run.text(0, 9))
    both.fail("backend", "it's", run.text(2, 3))
    journal = run.journal(acknowledged={0: ((0, 50),), 1: ((0, 40),), 2: ((0, 20),)})
    tally, by_sql = both.results(
        journal, marks=[Mark("a", BEGAN + 0.1), Mark("b", BEGAN + 1.1)], dropped={"backend": 1}
    )
    assert_agree(tally, by_sql)
    total = by_sql.total
    assert (total.lost, total.lost_acknowledged, total.dropped, total.failed) == (2, 1, 1, 3)
    assert (total.duplicated, total.duplicated_otherwise, total.misrouted, total.unexpected) == (9, 1, 2, 2)
    assert "neither the order" in by_sql.notes[0]
    assert set(by_sql.series.delivered) == {None}
    assert Result.from_json(json.loads(json.dumps(by_sql.to_json()))) == by_sql


MESSAGES = st.tuples(st.integers(0, 2), st.integers(0, 49))
DELIVERIES = st.lists(
    st.tuples(MESSAGES, st.sampled_from([0, 0, 0, 1]), st.sampled_from(ROUTES), st.integers(0, 99)),
    min_size=5,
    max_size=40,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=DELIVERIES, failed=st.lists(MESSAGES, max_size=6, unique=True))
def test_whatever_was_delivered_they_agree(make_run: Any, the_lake: Lake, deliveries: Any, failed: Any) -> None:
    run = make_run()
    run.tally = run.new_tally(check_every=0)
    the_lake.clear()
    both = Both(run, the_lake)
    known: dict[Any, Any] = {}
    # the tally's first copy is the one that is read first, SQL's is the one that was written first
    for (source, number), other, route, after in sorted(deliveries, key=lambda each: each[-1]):
        # of two ids that are as frequent SQL cannot know the first, and a message in two routes is in two queries
        id_, route_ = known.setdefault((source, number), (other, route))
        document = run.document(source, number, event_id=f"{source}.{number}.{id_}")
        both.deliver(route_, document, at=BEGAN + 10 + after)
    for message in failed:
        both.fail("frontend", "failed", run.text(*message))
    tally, by_sql = both.results(run.journal())
    assert_agree(tally, replace(by_sql))


def test_only_the_folders_of_the_run_are_read(run: Any, lake: Lake) -> None:
    hour = 3600
    for number, at in enumerate((-2 * hour, -hour, 0, hour, 2 * hour, 3 * hour, 4 * hour, 365 * 24 * hour)):
        columns = {name: run.document(0, number).get(name) for name in ("event_id", "body")}
        lake.put("frontend", at=BEGAN, hour=BEGAN + at, **columns)
    sql = told_of(environment(), environment().routes[0], plan=run.plan, began=BEGAN, until=BEGAN + 2 * hour)
    [row] = lake.ask(sql)
    assert (row["first"], row["last"], row["gaps"], row["delivered"]) == ("1", "5", "", "5") or row["gaps"] is None


def test_hours_name_every_folder_over_a_new_year() -> None:
    told = hours(
        datetime(2026, 12, 31, 22, 59, tzinfo=UTC).timestamp(), datetime(2027, 1, 1, 0, 1, tzinfo=UTC).timestamp()
    )
    assert "BETWEEN '2026123121' AND '2027010101'" in told
    assert "year IN ('2026', '2027')" in told
    assert "month IN ('12', '01')" in told
    assert "day IN ('31', '01')" in told


def test_without_the_hidden_column_all_but_latency_is_told(run: Any, lake: Lake, tmp_path: Path) -> None:
    lake.put("frontend", at=BEGAN, **{name: run.document(0, 1).get(name) for name in ("event_id", "body")})
    route = environment().routes[0]
    sql = told_of(environment(), route, plan=run.plan, began=BEGAN, until=BEGAN, latency=False)
    assert "$file" not in sql
    result = account_from_rows(run.plan, run.journal(), lake.ask(sql), route_of=lambda tag: tag.partition("-")[0])
    assert (result.total.delivered, result.total.latency.p50) == (1, None)
    assert not list(tmp_path.glob("*.tally"))


def test_a_threshold_of_a_latency_that_is_not_known_is_breached(make_run: Any, lake: Lake) -> None:
    run = make_run(thresholds={"lost": None, "latency_p99_seconds": 60})
    lake.put("frontend", at=BEGAN, **{name: run.document(0, 1).get(name) for name in ("event_id", "body")})
    by_sql = [
        account_from_rows(
            run.plan,
            run.journal(),
            lake.ask(
                told_of(
                    environment(), environment().routes[0], plan=run.plan, began=BEGAN, until=BEGAN, latency=latency
                )
            ),
            route_of=lambda tag: tag.partition("-")[0],
        )
        for latency in (True, False)
    ]
    told = [{each.name: each.says for each in result.breaches} for result in by_sql]
    assert "latency_p99_seconds" not in told[0]
    assert "not known" in told[1]["latency_p99_seconds"]


def test_a_message_in_the_places_of_two_routes_is_a_copy_and_misrouted(run: Any, lake: Lake) -> None:
    both = Both(run, lake)
    both.deliver("frontend", run.document(0, 3))
    both.deliver("backend", run.document(0, 3))
    tally, by_sql = both.results(run.journal())
    assert tally.total.duplicated == by_sql.total.duplicated == 1
    assert tally.total.misrouted == by_sql.total.misrouted == 1
