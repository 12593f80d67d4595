"""Every format is held to its recorded lines, and every line to one format."""

from pathlib import Path

import orjson
import pytest

from lambdas.transform.document import Source
from lambdas.transform.formats import FORMATS, PARSERS, detect, plan_trials, read_text
from lambdas.transform.times import read_time

_LINES = Path(__file__).parents[3] / "events" / "lines"
_OBSERVED = "2026-11-21T12:00:00.000000000Z"
_FILES = sorted(path.stem for path in _LINES.glob("*.log"))


def _read(name):
    lines = (_LINES / f"{name}.log").read_text().split("\n")[:-1]
    expected = [orjson.loads(line) for line in (_LINES / f"{name}.expected.jsonl").read_text().splitlines()]
    return list(zip(lines, expected, strict=True))


def _describe(found):
    if found is None:
        return None
    name, (attributes, severity, time) = found
    return {"format": name, "time": time, "severity": severity and severity.text, "attributes": attributes}


@pytest.mark.parametrize("name", _FILES)
def test_recorded_lines_say_what_was_reviewed(name):
    for line, expected in _read(name):
        assert _describe(detect(line, _OBSERVED)) == expected, line


def test_every_format_has_recorded_lines():
    assert set(_FILES) == {*FORMATS, "prose"}


@pytest.mark.parametrize("name", _FILES)
def test_no_line_is_claimed_by_the_format_of_another_file(name):
    claims = {expected["format"] for _, expected in _read(name) if expected}

    assert claims == ({name} if name != "prose" else set())


@pytest.mark.parametrize("name", _FILES)
def test_times_of_recorded_lines_have_the_one_form(name):
    times = [expected["time"] for _, expected in _read(name) if expected and expected["time"]]

    assert [read_time(time) for time in times] == times


@pytest.mark.parametrize("name", _FILES)
def test_attributes_have_the_types_their_names_promise(name):
    """A name whose type changes from line to line cannot be searched for."""
    for line, expected in _read(name):
        for key, value in expected["attributes"].items() if expected else ():
            if name == "logfmt":
                assert type(value) is str
            elif key.startswith("http.request.header."):
                assert [type(item) for item in value] == [str], line
            elif key.endswith((".port", ".pid", ".size", "status_code", ".number", "thread.id")):
                assert type(value) is int, line


def test_formats_that_a_route_does_not_name_are_not_tried():
    line = "I1121 02:22:24.123456       1 reflector.go:231] Listing"

    assert read_text(line, _OBSERVED, plan_trials(["klog"])) is not None
    assert read_text(line, _OBSERVED, plan_trials(["access", "logfmt"])) is None


def test_a_name_that_is_no_format_is_refused():
    with pytest.raises(KeyError):
        plan_trials(["clf"])


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_alone_takes_its_lines_as_all_of_them_do(name):
    trials = plan_trials([name])
    for line, expected in _read(name):
        if expected:
            assert _describe(detect(line, _OBSERVED, trials)) == expected, line


def test_line_is_offered_to_few_parsers():
    """What a line of prose costs is decided by how many it meets."""
    met = []
    trials = {
        lead: tuple(lambda text, observed, read=read: met.append(read) or read(text, observed) for read in readers)
        for lead, readers in plan_trials().items()
    }
    for line in ("However it went, the cart was full", "    at com.acme.Pay.pay(Pay.java:31)", '"quoted"', "é", ""):
        met.clear()
        assert read_text(line, _OBSERVED, trials) is None
        assert len(met) <= 2, line


def test_order_of_trial_is_that_of_the_registry_whatever_a_route_says():
    assert plan_trials(reversed(FORMATS)) == plan_trials(FORMATS)
    assert list(PARSERS) == list(FORMATS)


def test_shared_attributes_are_not_changed_by_a_document(make_document):
    """Lines of one header share their attributes, so adding to one must not add to all."""
    line = "2026-11-21 02:36:00.123 [main] INFO  com.acme.Pay - paid"
    first = read_text(line, _OBSERVED)
    document = make_document(line)
    document.add(first[0])
    document.keep("mine", 1)

    assert read_text(line, _OBSERVED)[0] == {"thread.name": "main", "log.logger": "com.acme.Pay"}
    assert isinstance(document.source, Source)
