"""From sums to the accounts of loads, routes and the whole, and to the result: the same for the tally and for SQL."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loadtest.journal import Journal
from loadtest.plan import Plan
from loadtest.tally import sums
from loadtest.tally.latency import Latencies
from loadtest.tally.result import (
    Account,
    Example,
    LoadAccount,
    MarkAccount,
    Result,
    RouteAccount,
    Series,
)
from loadtest.tally.sums import Sums
from loadtest.tally.thresholds import breaches


def explain(plan: Plan, loads: Mapping[str, Sums], *, routes: Sequence[str], dropped: Mapping[str, int]) -> None:
    """Spread what rules dropped on a route over its loads, in their order: at most what is missing there."""
    left = Counter(dropped)
    for load, route in zip(plan.profile.loads, routes, strict=True):
        each = loads[load.name]
        each.dropped = min(left[route], each.missing)
        left[route] -= each.dropped


def result(
    plan: Plan,
    journal: Journal,
    *,
    loads: Mapping[str, Sums],
    routes: Sequence[str],
    latencies: Latencies,
    marks: tuple[MarkAccount, ...],
    series: Series,
    examples: tuple[Example, ...],
    foreign: int,
    unreadable: int,
    unexpected: int,
    target: Mapping[str, str],
) -> Result:
    """The result of sums that are explained. `routes` has one for each load, `unexpected` is of no load's source."""
    profile = plan.profile
    made = _loads(plan, loads, routes=routes, latencies=latencies)
    total = Account(**_counts(Sums(unexpected=unexpected), *loads.values()), latency=latencies.of(lambda _: True))
    return Result(
        run=plan.run_name,
        profile=profile.name,
        says=profile.says,
        seed=profile.seed,
        seconds=profile.seconds,
        began=journal.began,
        ended=max((entry.at for entry in journal.entries), default=journal.began),
        bytes=journal.bytes,
        behind=round(max((entry.behind for entry in journal.entries), default=0.0), 3),
        loads=made,
        routes=_routes(loads, made, latencies),
        total=total,
        marks=marks,
        series=series,
        breaches=tuple(
            breaches(
                total,
                profile.thresholds,
                due=sum(load.due for load in made),
                unreadable=unreadable,
                journals=journal.run is not None,
                unended=journal.unended,
                errors=journal.errors,
            )
        ),
        examples=examples,
        foreign=foreign,
        unreadable=unreadable,
        errors=tuple(journal.errors),
        target=dict(target),
    )


def _loads(
    plan: Plan, loads: Mapping[str, Sums], *, routes: Sequence[str], latencies: Latencies
) -> tuple[LoadAccount, ...]:
    due = Counter[str]()
    for source in plan:
        due[source.load.name] += plan.count(source)
    return tuple(
        LoadAccount(
            name=load.name,
            client=load.client,
            ack=load.ack,
            tracer=load.tracer,
            tag=load.tag,
            route=route,
            connections=load.connections,
            due=due[load.name],
            **_counts(loads[load.name]),
            latency=latencies.of(_only(number)),
        )
        for number, (load, route) in enumerate(zip(plan.profile.loads, routes, strict=True))
    )


def _routes(loads: Mapping[str, Sums], made: Sequence[LoadAccount], latencies: Latencies) -> tuple[RouteAccount, ...]:
    found = []
    for name in dict.fromkeys(load.route for load in made):
        chosen = {number for number, load in enumerate(made) if load.route == name}
        counts = _counts(*(loads[made[number].name] for number in chosen))
        found.append(RouteAccount(name=name, **counts, latency=latencies.of(chosen.__contains__)))
    return tuple(found)


def _only(number: int) -> Callable[[int], bool]:
    return lambda each: each == number


def _counts(*parts: Sums) -> dict[str, Any]:
    """The fields of an account of all these, but its latency."""
    of = Sums()
    for part in parts:
        of.add(part)
    return {
        "sent": of.sent,
        "acknowledged": of.number(sums.IS_ACKNOWLEDGED),
        "delivered": of.number(sums.IS_SEEN),
        "failed": of.number(sums.IS_FAILED),
        "failed_by_reason": dict(of.reasons),
        "dropped": of.dropped,
        "lost": of.lost,
        "lost_acknowledged": sum(part.lost_acknowledged for part in parts),
        "duplicated": of.duplicated,
        "duplicated_otherwise": of.otherwise,
        "reordered": of.reordered,
        "altered": of.number(sums.IS_ALTERED),
        "misrouted": of.number(sums.IS_MISROUTED),
        "unexpected": of.unexpected,
    }
