"""The search's answer for people."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from local.load.limit import Limit, Step, search
from local.load.limit_report import sentences, table, write


def limit(*, at: float = 40_000, machine: float = 0.5, cpu_each: float = 1e-5) -> Limit:
    def measure(rate: float) -> Step:
        return Step(
            rate=rate,
            achieved=min(rate, at),
            bytes_per_message=900,
            cpu=0.02 + cpu_each * min(rate, at),
            memory=50 << 20,
            machine=machine,
            failing=() if rate <= at else ("only 50 % was sent in time", "the buffer grows"),
        )

    return search(measure, first=10_000, most_steps=5)


def test_the_answer_comes_first_then_per_vcpu_and_the_line():
    told = sentences(limit())
    assert told[0] == "Highest sustained: 40,000 messages/s, 36.0 MB/s."
    assert "95,238 messages/s, 85.7 MB/s (0.42 cores were used)" in told[1]
    assert "+0.020 core, and 0.100 core per 10,000 messages/s (r² 1.000, 3 rates)" in told[2]
    assert told[3] == "By that line, one core is full at 98,000 messages/s."
    assert len(told) == 4


def test_a_machine_that_was_full_before_fluent_bit_is_told():
    assert "What failed first was this machine" in sentences(limit(machine=0.99))[-1]
    assert "What failed first" not in sentences(limit(machine=0.99, cpu_each=2.4e-5))[-1], "its own core was full"


def test_a_limit_that_was_not_reached_is_no_limit():
    assert sentences(limit(at=1e9))[0].endswith("MB/s or more: nothing faster was tried.")


def test_nothing_sustained_says_what_to_do():
    assert sentences(limit(at=0)) == ["No rate was sustained: begin lower, with --from."]


def test_the_table_fits_a_terminal(capsys: Any):
    Console(width=80).print(table(limit()))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("grows" in line for line in lines)


def test_the_numbers_can_be_read_back(tmp_path: Path):
    write(limit(), tmp_path / "new", profile="blog")
    told = json.loads((tmp_path / "new" / "limit.json").read_text())
    assert (told["version"], told["profile"], told["bounded"]) == (1, "blog", True)
    assert told["highest"]["messages_per_second_per_vcpu"] > 95_000
    assert [step["sustained"] for step in told["steps"]] == [True, True, True, False, False]
    assert told["line"]["one_core"] > 97_000


def test_the_page_is_drawn_with_every_dot_in_its_frame(tmp_path: Path, browser: Callable[[Path, str], Any]):
    page, _ = write(limit(), tmp_path, profile="blog <b>")
    seen = browser(
        page,
        """
        const frame = document.querySelector('svg').getBoundingClientRect();
        const inside = (e) => { const b = e.getBoundingClientRect();
            return b.left >= frame.left && b.right <= frame.right && b.top >= frame.top && b.bottom <= frame.bottom; };
        const all = [...document.querySelectorAll('circle, polyline')];
        return {title: document.querySelector('h1').textContent, drawn: all.length, inside: all.filter(inside).length,
            good: document.querySelectorAll('circle.good').length, rows: document.querySelectorAll('tr').length,
            wide: document.documentElement.scrollWidth > 1000, code: document.querySelector('code').textContent};
        """,
    )
    assert seen == {
        "title": "Highest sustained: 40,000 messages/s, 36.0 MB/s.",
        "drawn": 6,
        "inside": 6,
        "good": 3,
        "rows": 6,
        "wide": False,
        "code": "blog <b>",
    }
