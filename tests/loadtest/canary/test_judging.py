"""Every tracer is judged once, in one of the ways there are, and what comes later is told as what it is."""

import pytest

from loadtest.canary.judging import (
    AWAIT_MINUTES,
    KEEP_MINUTES,
    LONGEST_GAP_MINUTES,
    UNTOLD_SECONDS,
    Verdict,
    awaited_since,
    begin,
    judge,
    notice,
    resumed,
    unseen,
)
from loadtest.canary.kept import RouteState, SentMinute, SentRoute
from loadtest.canary.seen import Copy
from loadtest.canary.settings import first_of
from loadtest.marker import Marker
from tests.loadtest.canary.stage import REST, SETTINGS, WEB, settings_of

MINUTE = 29_000_000
SENT_AT = MINUTE * 60 + 30.0
DEADLINE = SETTINGS.deadline(WEB)
ONE, TWO = first_of(MINUTE), first_of(MINUTE) + 1


class Watch:
    """One route's state over several looks."""

    def __init__(self, *, acknowledged=(ONE, TWO), count=2, told=True, settings=SETTINGS):
        self.state = RouteState(since=MINUTE)
        self.settings = settings
        self.failed = {}
        routes = {WEB.name: SentRoute(count, frozenset(acknowledged))}
        self._sent = {MINUTE: SentMinute(SENT_AT, routes)} if told else {}

    def look(self, *copies, now):
        verdict = Verdict(WEB)
        notice(verdict, self.state, copies)
        judge(
            verdict,
            self.state,
            self.settings,
            now=now,
            sent=self._sent.get,
            failed=lambda wanted: {number: self.failed[number] for number in wanted if number in self.failed},
        )
        return verdict


def copy(number, *, after=4.0, event_id="id", source=WEB.source):
    due = int(SENT_AT * 1e9)
    return Copy(Marker(SETTINGS.run, source, number, due), event_id, SENT_AT + after)


OVER = SENT_AT + DEADLINE


def test_what_is_found_is_delivered_at_once_with_its_latency():
    watch = Watch()
    verdict = watch.look(copy(ONE), copy(TWO, after=6.5), now=SENT_AT + 8)
    assert (verdict.delivered, verdict.latencies, verdict.lost) == (2, [4.0, 6.5], [])
    assert watch.look(now=OVER).delivered == 0


def test_what_was_acknowledged_and_is_nowhere_is_lost_when_its_time_is_over_and_once():
    watch = Watch()
    assert watch.look(copy(ONE), now=OVER - 0.1).lost == []
    assert watch.look(now=OVER).lost == [TWO]
    assert watch.look(now=OVER + 300).lost == []
    assert watch.look(now=OVER + 600).lost == []


def test_what_was_given_up_and_comes_is_late_with_its_latency_and_no_duplicate():
    watch = Watch()
    assert watch.look(copy(ONE), now=OVER).lost == [TWO]
    verdict = watch.look(copy(TWO, after=900), now=OVER + 900)
    assert (verdict.late, verdict.delivered, verdict.duplicated, verdict.latencies) == (1, 0, 0, [900.0])
    assert watch.look(copy(TWO), now=OVER + 1200).duplicated == 1


def test_what_was_not_acknowledged_is_unsent_and_not_lost():
    watch = Watch(acknowledged=[ONE])
    verdict = watch.look(now=OVER)
    assert (verdict.lost, verdict.unsent) == ([ONE], [TWO])
    assert watch.look(copy(TWO), now=OVER + 300).delivered == 1


def test_a_minute_of_which_nobody_tells_is_unsent_when_nobody_can_tell_any_more():
    watch = Watch(told=False)
    last = (MINUTE + 1) * 60 + UNTOLD_SECONDS
    assert DEADLINE < 60 + UNTOLD_SECONDS
    assert watch.look(now=last - 1).unsent == []
    assert watch.look(now=last).unsent == [ONE, TWO]
    assert watch.state.since == MINUTE + 1


def test_what_lies_in_the_failure_store_is_failed_by_reason():
    watch = Watch()
    watch.failed = {ONE: "processing-failed"}
    verdict = watch.look(now=OVER)
    assert (verdict.failed, verdict.lost) == ({ONE: "processing-failed"}, [TWO])


def test_nothing_is_lost_of_which_some_was_not_read():
    watch = Watch()
    watch.state.blind_until = SENT_AT
    verdict = watch.look(now=OVER)
    assert (verdict.unchecked, verdict.lost) == ([ONE, TWO], [])
    before = Watch()
    before.state.blind_until = MINUTE * 60 - 1
    assert before.look(now=OVER).lost == [ONE, TWO]


def test_a_second_copy_is_duplicated_and_told_apart_by_its_id():
    watch = Watch()
    verdict = watch.look(copy(ONE), copy(ONE), copy(ONE, event_id="other"), now=SENT_AT + 8)
    assert (verdict.delivered, verdict.duplicated, verdict.otherwise) == (1, 2, 1)
    assert watch.look(copy(ONE), now=SENT_AT + 9).duplicated == 1


def test_copies_that_are_found_again_each_time_are_counted_once():
    watch = Watch()
    everything = [copy(ONE), copy(ONE), copy(TWO, event_id="b")]
    first = watch.look(*unseen(watch.state, everything), now=SENT_AT + 8)
    assert (first.delivered, first.duplicated) == (2, 1)
    again = watch.look(*unseen(watch.state, [*everything, copy(TWO, event_id="b")]), now=SENT_AT + 9)
    assert (again.delivered, again.duplicated) == (0, 1)


def test_fewer_tracers_than_now_are_no_missing_ones():
    """The rate was one a minute when they were sent, and the route was not there yet."""
    watch = Watch(acknowledged=[ONE], count=1)
    assert watch.look(copy(ONE), now=OVER).unsent == []
    new = Watch()
    verdict = Verdict(REST)
    judge(verdict, new.state, SETTINGS, now=OVER, sent=new._sent.get, failed=lambda _: {})
    assert (verdict.lost, verdict.unsent, new.state.since) == ([], [], MINUTE + 1)


def test_more_routes_and_a_higher_rate_are_judged_minute_for_minute():
    settings = settings_of(WEB, per_minute=60)
    numbers = range(ONE, ONE + 60)
    watch = Watch(acknowledged=numbers, count=60, settings=settings)
    verdict = watch.look(*(copy(number) for number in numbers if number != ONE + 59), now=OVER)
    assert (verdict.delivered, verdict.lost) == (59, [ONE + 59])
    assert watch.state.since == MINUTE + 1


def test_old_tracers_are_forgotten_the_missing_later_than_the_found():
    watch = Watch()
    watch.look(copy(ONE), now=OVER)

    def known(minutes):
        watch.state.since = MINUTE + minutes
        judge(Verdict(WEB), watch.state, SETTINGS, now=0, sent=lambda _: None, failed=lambda _: {})
        return set(watch.state.tracers)

    assert known(KEEP_MINUTES) == {ONE, TWO}
    assert known(KEEP_MINUTES + 1) == {TWO}
    assert awaited_since(watch.state) == MINUTE * 60
    assert known(AWAIT_MINUTES) == {TWO}
    assert known(AWAIT_MINUTES + 1) == set()
    assert awaited_since(watch.state) == (MINUTE + AWAIT_MINUTES + 1) * 60


def test_a_copy_from_before_anything_is_remembered_is_not_counted():
    watch = Watch()
    old = first_of(MINUTE - KEEP_MINUTES - 1)
    assert watch.look(copy(old), now=SENT_AT).delivered == 0


@pytest.mark.parametrize(("minutes", "goes_on"), [(LONGEST_GAP_MINUTES, True), (LONGEST_GAP_MINUTES + 1, False)])
def test_after_a_long_pause_it_begins_anew(minutes, goes_on):
    state = RouteState(since=MINUTE)
    assert (resumed(state, (MINUTE + minutes) * 60.0) is state) == goes_on
    assert begin((MINUTE + 1) * 60 - 0.5).since == MINUTE
