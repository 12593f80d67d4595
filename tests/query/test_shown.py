import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from query.documents import found_in
from query.language import parse
from query.shown import Shown, json_line
from query.times import UTC
from tests.query.stage import document


def shown(*documents, query="", width=80, terminal=True, **options):
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        record=True,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    shown = Shown(console, query=parse(query), zone=UTC, **options)
    for told in documents:
        shown.show(found_in(told))
    return console


TOLD = document(
    "refused: no stock for order o-17 because the warehouse in Ulm did not answer in time\nat Basket.java:17",
    level="error",
    service="checkout",
    order_id="o-17",
)


def test_a_line_is_one_row_of_80_columns():
    lines = shown(TOLD, document("hi", level="info", service="web"), query="stock").export_text().splitlines()
    assert lines == [
        "11:30:00.000 ERROR checkout         refused: no stock for order o-17 because th…",
        "11:30:00.000 INFO  web              hi",
    ]


def test_what_was_searched_is_marked_and_severity_has_its_colour():
    styled = shown(TOLD, query="error STOCK").export_text(styles=True)
    assert "\x1b[31mERROR\x1b[0m" in styled
    assert "\x1b[1;30;43mstock\x1b[0m" in styled


def test_a_pipe_gets_whole_lines_with_whole_times():
    assert shown(TOLD, terminal=False).export_text() == (
        "2026-11-21T11:30:00.000+00:00 ERROR checkout         " + TOLD["body"].replace("\n", "⏎") + "\n"
    )


def test_wrap_keeps_the_lines_of_a_body_and_full_shows_the_rest():
    text = shown(TOLD, wrap=True, full=True, with_day=True).export_text()
    assert "did not answer in time\n    at Basket.java:17\n" in text
    assert text.startswith("2026-11-21 11:30:00.000 ERROR")
    assert "    attributes.order_id=o-17\n" in text
    assert "    resource.service.name=checkout\n" in text


def test_fields_are_chosen():
    assert shown(TOLD, fields=("level", "order_id", "nothing", "time")).export_text() == "ERROR o-17 - 11:30:00.000\n"
    assert json.loads(json_line(found_in(TOLD), ("level", "order_id", "nothing", "service"))) == {
        "level": "ERROR",
        "order_id": "o-17",
        "nothing": None,
        "service": "checkout",
    }


HOSTILE = "\x1b]0;owned\x07 \x1b[2J\x9b31m \u202egpj.exe\u2028 \x00\r\x7f [red]markup[/red] \ud800"


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("wrap", [True, False])
def test_nothing_that_a_terminal_obeys_reaches_it(terminal, wrap):
    told = document(HOSTILE, service=HOSTILE, **{HOSTILE: HOSTILE})
    told["severity"] = {"text": HOSTILE, "number": 17}
    told["@timestamp"] = HOSTILE
    text = shown(told, terminal=terminal, wrap=wrap, full=True, width=4000).export_text()
    assert [each for each in text if not each.isprintable() and each != "\n"] == []
    assert "[red]markup[/red]" in text
    text.encode()


@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF)))
def test_json_says_the_same_without_what_a_terminal_obeys(text):
    line = json_line(found_in({"body": text}), ())
    assert json.loads(line)["body"] == text
    assert not any(ord(each) < 32 or 0x7F <= ord(each) < 0xA0 or each in "\u202e\u2066\u200f\ufeff" for each in line)
    line.encode()
