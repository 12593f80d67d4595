"""A result as people see it: in a terminal of 80 columns, drawn in a real browser, and beside another one."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest.report import compare, page, read, summary, write
from loadtest.report.charts import charts, nice
from loadtest.tally import Account, Percentiles, Result

LOOK = """
const section = name => document.querySelector(`section[data-name=${name}] svg`);
const box = element => { const b = element.getBBox(); return [b.x, b.y, b.width, b.height].map(Math.round); };
const cells = row => [...row.children].map(cell => cell.innerText);
return {
  heading: document.querySelector("h1").innerText,
  charts: [...document.querySelectorAll("section.chart")].map(each => each.dataset.name),
  rate: Object.fromEntries([...section("rate").querySelectorAll("path")].map(path => [path.dataset.name, box(path)])),
  colours: new Set([...section("rate").querySelectorAll("path")].map(path => getComputedStyle(path).stroke)).size,
  p99: section("latency").querySelector("path[data-name=p99]").getAttribute("d"),
  dots: section("latency").querySelector("path[data-name=p99]").getTotalLength() > 0,
  bars: [...section("marks").querySelectorAll("rect")].map(bar => [bar.textContent, box(bar)[3]]),
  red: getComputedStyle(section("marks").querySelector("rect")).fill,
  events: [...section("cpu").querySelectorAll("line.event")].map(line => [line.textContent, box(line)[0]]),
  told: [...document.querySelectorAll("svg")].map(svg =>
    svg.getAttribute("aria-labelledby").split(" ").map(id => document.getElementById(id).textContent).join(" | ")),
  overlaps: [...document.querySelectorAll("svg")].filter(svg => svg.getBoundingClientRect().width < 400).length,
  fits: document.documentElement.scrollWidth <= document.documentElement.clientWidth,
  tables: Object.fromEntries([...document.querySelectorAll("table")].map(t => [t.id, [...t.rows].map(cells)])),
  cut: [...document.querySelectorAll(".wide")].map(each => each.scrollWidth - each.clientWidth).reduce((a, b) => a + b),
  headers: [...document.querySelectorAll("th")].every(th => th.scope === "col" || th.scope === "row"),
  outside: performance.getEntriesByType("resource").length,
};
"""


def shown(renderable: Any, width: int = 80) -> str:
    console = Console(width=width, record=True, force_terminal=False, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


def test_the_page_is_drawn(result: Result, tmp_path: Path, browser: Callable[[Path, str], Any]) -> None:
    told, drawn = write(result, tmp_path / "made")
    assert (told.name, drawn.name) == ("report.json", "report.html")
    seen = browser(drawn, LOOK)
    assert seen["heading"] == "Failed: small"
    assert seen["charts"] == ["rate", "latency", "marks", "buffer", "cpu", "memory"]
    # 50 a second of 100 is half the height of 200; what arrives only in the second half goes from bottom to four fifths
    assert seen["rate"] == {"sent": [9, 100, 702, 0], "acknowledged": [9, 120, 702, 0], "delivered": [9, 40, 702, 160]}
    assert seen["colours"] == 3
    assert seen["p99"].count("M") == 3, "nothing is drawn where nothing is known"
    assert "h0" in seen["p99"], "what stands alone is a dot"
    assert seen["bars"] == [
        ["kill: 10 lost", 200],
        ["scale in: 0 lost", 0],
        ["kill: 5 duplicated", 100],
        ["scale in: 2 duplicated", 40],
    ]
    assert seen["events"] == [["kill", 180], ["scale in", 540]]
    assert "kill: 10 lost, 5 duplicated; scale in: 0 lost, 2 duplicated" in seen["told"][2]
    assert "Highest: sent 50/s, acknowledged 40/s, delivered 80/s" in seen["told"][0]
    assert seen["tables"]["loads"][1][:4] == ["web\nfirelens", "1,000", "1,000", "984"]
    assert seen["tables"]["loads"][2] == ["web", "6 failed: processing-failed"]
    assert [row[1] for row in seen["tables"]["loads"][4:6]] == ["2 altered", "3 in another route's place"]
    assert seen["tables"]["events"][1] == ["1 kill", "10.0 s", "500", "500", "10", "1", "5"]
    assert seen["tables"]["examples"][1] == ["lost", "web", "0", "7", "10"]
    assert (seen["overlaps"], seen["cut"], seen["fits"], seen["headers"], seen["outside"]) == (0, 0, True, True, 0)


def test_the_page_needs_nothing_but_itself_and_escapes_what_it_is_told(result: Result) -> None:
    told = page(result)
    assert not re.search(r"(src|href)=|url\(|@import|<script", told)
    assert "&lt;b&gt;to &amp; fro&lt;/b&gt;" in told
    assert "prefers-color-scheme: dark" in told
    assert "color-scheme: light dark" in told


def test_what_nobody_looked_at_is_not_drawn(passed: Result) -> None:
    assert [chart.name for chart in charts(passed)] == ["rate", "latency"]
    assert "Passed" in page(passed)


def test_a_long_run_is_drawn_with_few_points_and_loses_no_peak(result: Result) -> None:
    count = 3601
    series = replace(result.series, sent=(10,) * count, p99=(*(10.0,) * 3000, 9000.0, *(10.0,) * 600), step=24)
    [rate, latency, *_] = charts(replace(result, series=series))
    points = latency.lines[1].path.count("L") + 1
    assert points <= 240
    assert latency.lines[1].highest == "9 s"
    assert rate.lines[0].highest == "0/s"  # 10 in 24 seconds


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.3, 0.5), (1, 1), (1.1, 2), (2.2, 2.5), (26, 50), (99, 100), (100, 100), (101, 200)]
)
def test_an_axis_ends_with_a_round_number(value: float, top: float) -> None:
    assert nice(value) == pytest.approx(top)


def test_the_table_fits_80_columns_whatever_the_numbers(result: Result) -> None:
    huge = Account(
        sent=100_000_000,
        delivered=99_999_999,
        failed=123_456,
        dropped=1_234_567,
        lost=12_345,
        lost_acknowledged=12_345,
        duplicated=1_234_567,
        altered=999,
        latency=Percentiles(5000, 5000, 123_000, 123_000),
    )
    told = shown(summary(replace(result, total=huge, profile="a" * 40)))
    assert max(map(len, told.splitlines())) <= 80
    assert "…" not in told
    for number in ("100000000", "99999999", "123,456", "1,234,567", "12,345", "123"):
        assert number in told


def test_the_table_says_what_is_lost_and_why_it_failed(result: Result, passed: Result) -> None:
    told = shown(summary(result))
    assert re.search(r"web +1,000 +984 +6 +10 +1 +0 +0 +1\.20 +61\b", told)
    assert re.search(r"tracers \* +1,000 +1,000 +0 +0 +0 +7 +5 ", told)
    assert re.search(r"all +2,000 +1,984 +6 +10 +1 +7 +5 ", told)
    assert re.search(r"kill +10\.0 s +500 +10 +1 +5", told)
    assert "failed: lost: 10, at most 0 allowed" in told
    assert "passed: every message is accounted for" in shown(summary(passed))


def test_a_report_is_read_again_from_its_file_or_its_folder(result: Result, tmp_path: Path) -> None:
    told, _ = write(result, tmp_path)
    assert read(told) == read(tmp_path) == result


def test_another_version_and_another_file_are_refused(result: Result, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps({**result.to_json(), "version": 99}))
    with pytest.raises(ValueError, match="version 99, and this Sluice reads version 1: run the load again"):
        read(file)
    for other in ("[]", "{", '{"version": 1}', '{"version": 1, "loads": 3}'):
        file.write_text(other)
        with pytest.raises(ValueError, match="report"):
            read(file)


def test_two_results_are_compared_for_each_million_sent(result: Result, passed: Result) -> None:
    twice = replace(result.total, sent=4000, lost=20, latency=replace(result.total.latency, p50=1250, p99=30_000))
    other = replace(result, run="00001234", seconds=80, total=twice)
    told = {(each.of, each.name): each for each in compare(result, other).differences}
    assert (told["all", "lost"].first, told["all", "lost"].second, told["all", "lost"].better) == (5000, 5000, "same")
    assert told["all", "duplicated"].better == "second"
    assert told["all", "latency_p50_ms"].better == "same", "4 % is the histogram's, not the target's"
    assert told["all", "latency_p99_ms"].better == "second"
    assert told["all", "messages_per_second"].better == "same"
    assert told["web", "lost"].better == "same"
    told = {(each.of, each.name): each for each in compare(result, passed).differences}
    assert told["all", "passed"].better == told["all", "lost"].better == "second"
    assert told["all", "cpu_seconds_per_million"].second is None
    assert told["all", "cpu_seconds_per_million"].better == "neither"
    assert ("tracers", "lost") not in told


def test_a_comparison_is_a_table_and_json(result: Result, passed: Result) -> None:
    found = compare(result, passed)
    made = json.loads(json.dumps(found.to_json()))
    assert (made["version"], made["first"], made["second"]) == (1, "small 0000abcd", "small 0000beef")
    lost = next(each for each in made["differences"] if (each["of"], each["name"]) == ("all", "lost"))
    assert lost == {"of": "all", "name": "lost", "first": 5000.0, "second": 0.0, "better": "second"}
    told = shown(found.table())
    assert re.search(r"all +passed +no +yes", told)
    assert re.search(r"all +lost +5,000 +0", told)
    assert "reordered" not in told
    assert max(map(len, told.splitlines())) <= 80
