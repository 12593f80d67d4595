"""What a load says: the same for everyone who knows the seed, as long as is asked for, and marked once."""

import itertools
import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lines import PART_BYTES
from loadtest.marker import Marker, find
from loadtest.messages import pool_of, text_of
from loadtest.messages.text import MARK, only_one_marker
from loadtest.plan import Plan, Source, make_plan
from loadtest.profile import Profile, load_profile, names

DUE = 1_763_690_840_738_355_123
FORMATS = ["text", "access", "json", "multiline", "split", "hostile"]
COMBINED = re.compile(
    r'(\S+) - (\S+) \[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d) \+0000\] "[A-Z]+ (\S+) HTTP/1\.1" \d{3} \d+ "([^"]*)" "([^"]*)"'
)


def plan_of(*, seed: int = 1, connections: int = 1, run: int = 7, **load: object) -> Plan:
    said = {"name": "web", "tag": "web", "messages_per_second": 100, "connections": connections} | load
    return make_plan(Profile.model_validate({"name": "test", "seconds": 10, "seed": seed, "loads": [said]}), run=run)


def texts(plan: Plan, source: Source | None = None) -> list[bytes]:
    """Once round the pool."""
    source = source or plan.sources[0]
    count = len(pool_of(plan.profile.seed, source.load).texts)
    return [text_of(plan, source, number, DUE + number).encode("utf-8", "surrogateescape") for number in range(count)]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("client", ["docker", "otlp"])
def test_every_message_has_its_own_marker_and_nothing_else_like_one(kind: str, client: str) -> None:
    plan = plan_of(formats={kind: 1}, client=client, size={"median": 200, "sigma": 1}, connections=3)
    source = plan.sources[2]
    for number, text in enumerate(texts(plan, source)):
        assert list(find(text)) == [Marker(plan.run, source.number, number, DUE + number)]
        # Nor once whoever cleans a line has taken out what is no letter, or has put it into lower case.
        assert len(list(find(re.sub(rb"[^a-z]", b"", text.lower())))) == 1


def test_what_only_looks_like_a_marker_is_broken_and_as_long_as_it_was() -> None:
    fake = Marker(1, 2, 3, 4).encode()
    text = only_one_marker(fake + b"sl" + MARK + b"slt" + fake)
    assert list(find(text)) == list(find(MARK))
    assert len(text) == 2 * len(fake) + 5 + len(MARK)


def test_noise_that_begins_like_a_marker_does_not_stay() -> None:
    """Of this seed's random bytes three are a marker's first ones."""
    load = plan_of(seed=117, formats={"hostile": 1}, size={"median": 20_000}).profile.loads[0]
    assert {text.data.count(b"slt") for text in pool_of(117, load).texts} == {1}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_seed_says_all_of_it(kind: str) -> None:
    def said(seed: int) -> list[bytes]:
        pool_of.__globals__["_pool"].cache_clear()  # as another process has it
        return texts(plan_of(seed=seed, formats={kind: 1}))

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_sources_begin_at_different_places_of_the_pool() -> None:
    plan = plan_of(connections=8)
    assert len({text_of(plan, source, 0, DUE).replace(f"{source.number:04x}", "") for source in plan}) == len(
        plan.sources
    )


@pytest.mark.parametrize("kind", ["text", "access", "json", "hostile"])
def test_messages_are_as_long_as_is_asked_for(kind: str) -> None:
    plan = plan_of(formats={kind: 1}, size={"median": 900})
    lengths = Counter(map(len, texts(plan)))
    assert lengths[900] > 0.95 * lengths.total()
    assert set(lengths) == {900} or kind == "hostile"


def test_sizes_that_differ_stay_within_their_bounds() -> None:
    lengths = [len(text) for text in texts(plan_of(size={"median": 200, "sigma": 2, "least": 100, "most": 1000}))]
    assert (min(lengths), max(lengths)) == (100, 1000)
    assert 150 < sorted(lengths)[len(lengths) // 2] < 270


def test_formats_come_as_often_as_their_weights_say() -> None:
    plan = plan_of(formats={"json": 3, "access": 1}, size={"median": 400})
    kinds = Counter(text.startswith(b"{") for text in texts(plan))
    assert 2.9 < kinds[True] / kinds[False] < 3.1


def test_a_pool_stays_small_and_has_every_format() -> None:
    pool = pool_of(1, plan_of(formats={"split": 1, "text": 1000}, size={"median": 900_000}).profile.loads[0])
    assert {text.part is None for text in pool.texts} == {True, False}
    assert sum(len(text.data) for text in pool.texts) < 16_000_000


def test_access_lines_are_combined_log_lines_at_the_time_they_are_due() -> None:
    for text in texts(plan_of(formats={"access": 1}, size={"median": 300})):
        match = COMBINED.fullmatch(text.decode("ascii"))
        assert match, text
        assert match[3] == "21/Nov/2025:02:07:20"
        assert re.search(r"\?trace=slt[a-p]{36}(&|$)", match[4])


def test_structured_lines_are_objects_with_nested_values_and_levels() -> None:
    lines = [json.loads(text) for text in texts(plan_of(formats={"json": 1}, size={"median": 500, "sigma": 1}))]
    assert {line["level"] for line in lines} == {"debug", "info", "warn", "error", "fatal"}
    assert all(line["marker"].startswith("slt") and line["time"] == "2025-11-21T02:07:20Z" for line in lines)
    assert all(isinstance(line["user"]["roles"], list) and line["user"]["org"] is None for line in lines)


def test_a_trace_is_a_line_and_its_indented_frames() -> None:
    said = texts(plan_of(formats={"multiline": 1}))
    starts = [number for number, text in enumerate(said) if not text.startswith((b"\tat ", b"   at ", b"    at "))]
    assert starts[0] == 0
    assert all(3 <= end - start - 1 < 12 for start, end in itertools.pairwise(starts))


def test_a_long_line_comes_in_parts_of_16_kib() -> None:
    plan = plan_of(formats={"split": 1})
    (source,) = plan
    pool = pool_of(1, source.load)
    for number, text in enumerate(texts(plan)):
        ordinal, count = pool.at(source.number, number).part
        assert len(text) == PART_BYTES if ordinal < count else 0 < len(text) < PART_BYTES
        following = pool.at(source.number, number + 1).part
        assert following == (ordinal + 1, count) if ordinal < count else following[0] == 1


def test_parts_of_a_structured_line_are_one_object_together() -> None:
    plan = plan_of(formats={"split": 1})
    whole: list[str] = []
    lines: list[str] = []
    for number, text in enumerate(texts(plan)):
        whole.append(text.decode("ascii"))
        ordinal, count = pool_of(1, plan.sources[0].load).at(0, number).part
        if ordinal == count:
            lines.append("".join(whole))
            whole = []
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    assert 0 < len(objects) < len(lines)


def test_hostile_lines_have_what_nobody_means_to_write() -> None:
    said = texts(plan_of(formats={"hostile": 1}, size={"median": 300, "sigma": 1}))
    together = b"\n".join(said)
    for sample in (b"\xff", b"\x00", b"\x1b[31m", b"\xed\xa0\x80", rb"\ud800", b"\r", b"\t", b"\x7f", b"a" * 40):
        assert sample in together, sample
    assert not any(b"\n" in text for text in said)
    assert any(text.startswith(b"{") and not _is_json(text) for text in said)
    assert any(not _is_utf8(text) for text in said)
    assert any(text.startswith(b"{") and _is_json(text) for text in said)


def test_what_goes_by_json_is_utf_8() -> None:
    assert all(map(_is_utf8, texts(plan_of(formats={"hostile": 1}, client="otlp"))))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(0, 2**64 - 1))
def test_a_message_follows_from_source_number_and_time_alone(sequence: int, number: int, due: int) -> None:
    plan = plan_of(connections=5, formats={"text": 1, "split": 1, "multiline": 1})
    due %= 4_000_000_000 * 10**9
    text = text_of(plan, plan.sources[number], sequence, due)
    assert text == text_of(plan, plan.sources[number], sequence, due)
    assert list(find(text.encode())) == [Marker(7, number, sequence, due)]


@pytest.mark.parametrize("name", names())
def test_every_profile_can_be_sent(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.says
    plan = make_plan(profile, run=1)
    assert all(plan.count(source) for source in plan)


def test_the_blogs_load_is_the_blogs() -> None:
    profile = load_profile("blog")
    assert sum(load.rate for load in profile.loads) == 10_000
    assert sum(load.rate * load.size.median for load in profile.loads) == pytest.approx(9_000_000, rel=0.01)
    assert [load.rate for load in profile.loads if load.tracer] == [18]


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
