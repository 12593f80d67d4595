"""Where a stack trace begins and ends: what real programs wrote (tests/events/traces), and what is none."""

from pathlib import Path

import pytest

from lambdas.transform.traces import MAX_MESSAGE_LINES, find_traces

RECORDED = Path(__file__).parents[2] / "events" / "traces"
SPANS = {
    "dotnet": [(1, 9)],
    "go_deadlock": [(0, 9)],
    "go_goroutines": [(0, 25)],
    "go_http": [(0, 18)],
    "go_index": [(0, 7)],
    "go_nil": [(0, 6)],
    "go_repanic": [(0, 10)],
    "go_stack": [(1, 8)],
    "java_caused": [(0, 12)],
    "java_circular": [(0, 5)],
    "java_jul": [(1, 5)],
    "java_logged": [(0, 4)],
    "node_aggregate": [(0, 50)],
    "node_console": [(0, 21)],
    "node_stack": [(0, 10)],
    "node_sync": [(0, 15)],
    "node_uncaught": [(0, 26)],
    "python_chained": [(0, 34)],
    "python_group": [(0, 32)],
    "python_logged": [(0, 15), (15, 21)],
    "python_pyd": [(0, 25)],
    "python_server": [(1, 19)],
    "python_syntax": [(0, 4)],
    "ruby": [(1, 8)],
    "rust_backtrace": [(1, 23)],
    "rust_plain": [(1, 4)],
    "rust_thread_plain": [(1, 5)],
}


def recorded(name):
    return (RECORDED / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1]


def test_every_recorded_program_is_tested():
    assert {path.stem for path in RECORDED.glob("*.txt")} == SPANS.keys()


@pytest.mark.parametrize("name", SPANS)
def test_trace_of_a_real_program_is_found_whole_and_without_its_neighbours(name):
    assert list(find_traces(recorded(name))) == SPANS[name]


@pytest.mark.parametrize("name", SPANS)
def test_traces_that_follow_each_other_with_lines_between_stay_apart(name):
    lines = recorded(name)
    between = ["2026-11-21 02:22:24,124 INFO next order", "done"]
    again = len(lines) + len(between)

    found = list(find_traces([*lines, *between, *lines]))

    assert found == SPANS[name] + [(start + again, end + again) for start, end in SPANS[name]]


@pytest.mark.parametrize(
    "lines",
    [
        ["starting", "listening on 8080", "ready"],
        ["Error: refused", "retrying", "Error: refused"],
        ["java.lang.IllegalStateException: no", "INFO next", "done"],
        ["list:", "  - a", "  - b", "    at the end of the day"],
        ["Traceback (most recent call last):"],
        ["Traceback (most recent call last):", "next order"],
        ["panic: no", "next order"],
        ["{", '  "a": 1', "}"],
        ["\tat com.example.Shop.main(Shop.java:1)"],
        ["java.lang.Error: x", "INFO next", "\tat a.B.c(B.java:1)"],
        ["user: panic", "goroutine leak found"],
        ["created by main", "fatal error: told by hand", "done(1)"],
    ],
    ids=str,
)
def test_lines_that_only_look_like_one_are_none(lines):
    assert list(find_traces(lines)) == []


@pytest.mark.parametrize(
    ("lines", "span"),
    [
        (["a.b.Failed: x", "a.b.Failed: y", "\tat a.B.c(B.java:1)"], (1, 3)),
        (["thread 'a' panicked at a.rs:1:1:", "order failed", "next"], (0, 2)),
        (["INFO taken", "\tat a.B.c(B.java:1)", "\tat a.B.d(B.java:2)", "INFO next"], (1, 3)),
        (['  File "a.py", line 1, in f', "    f()", "ValueError: x", "next"], (0, 3)),
        (["order failed", "\tat a.B.c(B.java:1)"], (0, 2)),
        (["com.example.Declined: limit", "of vip", "\tat a.B.c(B.java:1)", "next"], (0, 3)),
        (["ERROR a", "Traceback (most recent call last):", '  File "a.py", line 1', "KeyboardInterrupt", "a"], (0, 4)),
        (['{"error":1}', "Error: x", "    at f (a.js:1:2)"], (1, 3)),
        (
            ["ValueError: x", "Traceback (most recent call last):", '  File "a", line 1', "E: x", "  hint", "N: y"],
            (1, 5),
        ),
    ],
    ids=str,
)
def test_trace_ends_where_another_line_begins_and_starts_with_what_introduces_it(lines, span):
    assert list(find_traces(lines)) == [span]


def test_traces_right_below_each_other_stay_apart_and_chained_ones_do_not():
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "Error: 1"]
    chain = "During handling of the above exception, another exception occurred:"

    assert list(find_traces(trace * 3)) == [(0, 3), (3, 6), (6, 9)]
    assert list(find_traces([*trace, "", *trace])) == [(0, 3), (4, 7)]
    assert list(find_traces([*trace, "", chain, "", *trace])) == [(0, 9)]
    assert list(find_traces([*trace, chain, *trace])) == [(0, 7)]


@pytest.mark.parametrize(("message", "whole"), [(MAX_MESSAGE_LINES, True), (MAX_MESSAGE_LINES + 1, False)])
def test_message_of_a_cause_may_have_so_many_lines_and_no_more(message, whole):
    lines = ["a.b.Failed: x", "\tat a.B.c(B.java:1)", "Caused by: a.b.E: x", *["m"] * message, "\tat a.B.c(B.java:2)"]

    assert (list(find_traces(lines)) == [(0, len(lines))]) == whole


@pytest.mark.parametrize(
    "line",
    [
        "Caused by: " + "a" * 50_000,
        "a." * 25_000,
        " " * 50_000 + "at",
        "    at " + "a" * 50_000,
        "goroutine 1 " + "x" * 50_000,
        "a" * 50_000 + "(*b",
        "thread '" + "x" * 50_000,
        "\t" + ":1" * 25_000 + "x",
        "^" * 50_000 + "x",
        "{" + "}" * 50_000 + "x",
        "1:" * 25_000,
        "\\" * 50_000,
        "a:1" * 20_000,
        "error" * 10_000,
    ],
    ids=lambda line: line[:12],
)
def test_no_pattern_goes_over_a_long_line_more_than_a_few_times(line):
    """A pattern that backtracks would take minutes for these; all of them together take a fraction of a second."""
    lines = [
        "Traceback (most recent call last):",
        '  File "a", line 1',
        line,
        "Error: x",
        line,
        "\tat a.b(c:1)",
        line,
        "",
    ]

    assert len(list(find_traces(lines * 3))) >= 1


@pytest.mark.parametrize(
    "line",
    [
        "Error: x",
        "a.b.Failed: x",
        "panic: x",
        "thread 'a' panicked at a.rs:1:1:",
        "Caused by: x",
        "m",
        "",
        "  x",
        "Traceback (most recent call last):",
        "goroutine 1 [running]:",
        "\tat a.B.c(B.java:1)",
        "a.rb:1:in 'x'",
    ],
)
def test_each_line_is_looked_at_a_bounded_number_of_times(line):
    class Counted(list):
        looks = 0

        def __getitem__(self, at):
            self.looks += 1
            return super().__getitem__(at)

    lines = Counted([line] * 2_000)
    list(find_traces(lines))

    assert lines.looks <= 2_000 * 4 * MAX_MESSAGE_LINES
