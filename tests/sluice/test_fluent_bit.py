"""What is rendered, without running it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice import fluent_bit, globs
from sluice.model import Config, Deployment, deployment

ROOT = Path(__file__).resolve().parents[2]

GLOB = st.text("ab*", min_size=1, max_size=5)


def rendered(here: Deployment, version: tuple[int, ...] = (5, 1, 2)) -> fluent_bit.Sections:
    return fluent_bit.sections(here, fluent_bit.Places(), fluent_bit.Abilities.of(version))


def test_the_committed_configuration_is_the_rendered_one(here: Deployment) -> None:
    committed = (ROOT / "fluentbit-image" / "fluent-bit.yaml").read_text()
    assert committed == fluent_bit.as_yaml(rendered(here))


def test_the_image_is_built_on_the_exact_tag_from_what_is_there(here: Deployment) -> None:
    folder = ROOT / "fluentbit-image"
    recipe = (folder / "Dockerfile").read_text()
    assert f"ARG BASE_TAG={here.aggregator.image.base_tag}\n" in recipe
    assert "aws-for-fluent-bit:${BASE_TAG}\n" in recipe
    copied = [name for line in recipe.splitlines() if line.startswith("COPY") for name in line.split()[2:-1]]
    allowed = [line.removeprefix("!") for line in (folder / ".dockerignore").read_text().split() if line[0] == "!"]
    assert sorted(copied) == sorted(allowed) == ["carry.lua", "fluent-bit.yaml", "healthcheck.sh"]
    assert all((folder / name).is_file() for name in copied)
    assert f'VOLUME ["{fluent_bit.Places().buffer}"]' in recipe
    assert "\nUSER 1000:1000\n" in recipe


def test_acknowledged_means_in_the_file(here: Deployment) -> None:
    """Each of these was seen to lose acknowledged records when it was otherwise."""
    sections = rendered(here)
    assert sections.service["storage.path"] == "/sluice/buffer"
    assert sections.service["storage.checksum"] is False
    for forward in sections.inputs:
        assert forward["storage.type"] == "filesystem"
        assert forward["storage.pause_on_chunks_overlimit"] is True
        assert not {"threaded", "workers"} & set(forward)


def test_every_route_is_tried_for_ever_and_never_dropped(here: Deployment) -> None:
    sections = rendered(here)
    for route, output in zip(here.routes, sections.outputs, strict=False):
        assert output["delivery_stream"] == f"${{SLUICE_STREAM_PREFIX}}{route.name}"
        assert output["retry_limit"] == "no_limits"
        assert output["net.io_timeout"] == "30s"
        assert "storage.total_limit_size" not in output
        # Firehose takes one document per record for OpenSearch.
        assert ("simple_aggregation" in output) is (route.destination.kind == "s3")
        assert output["time_key_format"] == "%Y-%m-%dT%H:%M:%S.%9NZ"
    assert sections.service["scheduler.cap"] == 30


def test_fluent_bit_ends_before_ecs_kills_it(here: Deployment) -> None:
    assert rendered(here).service["grace"] == 100


def test_a_route_that_does_not_pack(here: Deployment) -> None:
    first, *rest = here.routes
    plain = first.model_copy(update={"buffering": first.buffering.model_copy(update={"pack": False})})
    sections = rendered(here.model_copy(update={"routes": (plain, *rest)}))
    assert "simple_aggregation" not in sections.outputs[0]
    assert sections.outputs[1]["simple_aggregation"] is True


def test_an_old_fluent_bit_is_told_only_what_it_knows(here: Deployment) -> None:
    sections = rendered(here, (1, 8, 15))
    assert all(not {"simple_aggregation", "port"} & set(output) for output in sections.outputs)
    assert all(not {"time_key", "net.io_timeout"} & set(output) for output in sections.outputs)
    assert all("enable_flb_null" not in section for section in sections.filters)
    assert [(section["call"], section["time_as_table"]) for section in sections.filters] == [("carry_with_time", True)]


def test_a_record_meets_one_filter_only(here: Deployment) -> None:
    """Each one decodes and writes every record: a second one costs as much again."""
    (carry,) = rendered(here).filters
    assert (carry["name"], carry["call"], carry["match"]) == ("lua", "carry", "*")
    assert "time_as_table" not in carry, "a table for each record, which nobody reads"


def test_both_forms_say_the_same(here: Deployment) -> None:
    classic = fluent_bit.as_classic(rendered(here))
    assert classic.count("[OUTPUT]") == len(here.routes) + 1
    assert classic.count("[FILTER]") == 1
    assert "    call carry\n" in classic
    assert "    storage.pause_on_chunks_overlimit on\n" in classic


@pytest.mark.parametrize(("memory_mib", "chunks"), [(512, 131), (2048, 524), (8192, 2097)])
def test_half_of_the_memory_is_buffer(here: Deployment, memory_mib: int, chunks: int) -> None:
    aggregator = here.aggregator.model_copy(update={"memory_mib": memory_mib})
    variables = fluent_bit.environment(here.model_copy(update={"aggregator": aggregator}))
    assert variables["SLUICE_MAX_CHUNKS"] == str(chunks)


def takes(match: fluent_bit.Section, tag: str) -> bool:
    """Fluent Bit's decision: a glob, or a regular expression at the start that consumes something."""
    if "match" in match:
        return globs.matches(str(match["match"]), tag)
    ruby = str(match["match_regex"]).replace("(?m:", "(?s:").replace(r"\z", r"\Z")
    found = re.match(ruby, tag)
    return found is not None and found.end() > 0


@given(st.lists(GLOB, min_size=1, max_size=4), st.text("ab\n", min_size=1, max_size=6))
def test_the_first_match_takes_the_record_and_only_it(matches: list[str], tag: str) -> None:
    outputs = [fluent_bit.exclusive(match, tuple(matches[:at])) for at, match in enumerate(matches)]
    first = next((at for at, match in enumerate(matches) if globs.matches(match, tag)), None)
    assert [at for at, output in enumerate(outputs) if takes(output, tag)] == ([] if first is None else [first])


KINESIS = Config.model_validate(
    {
        "name": "shop",
        "environments": {"dev": {}},
        "routes": [
            {"name": "aggregated", "match": "a*", "via": "kinesis", "kinesis": {"partition_key": "kubernetes->pod"}},
            {"name": "plain", "match": "b*", "via": "kinesis", "kinesis": {"aggregation": False}},
        ],
    }
)


def test_lines_to_a_data_stream_are_aggregated_by_the_images_plugin() -> None:
    sections = fluent_bit.sections(deployment(KINESIS, "dev"), fluent_bit.Places(), fluent_bit.Abilities())
    output = sections.outputs[0]
    assert (output["name"], output["aggregation"], output["partition_key"]) == ("kinesis", "true", "kubernetes->pod")
    assert (output["retry_limit"], output["workers"], output["http_request_timeout"]) == ("no_limits", 1, 30)
    assert "experimental_concurrency" not in output, "it reports success before Kinesis has answered"
    assert "time_key" not in output, "it writes milliseconds; the filter has written the time"
    stamp = [each for each in sections.filters if each.get("call") == "stamp"]
    assert [each["match"] for each in stamp] == [output["match"]]
    assert sections.loaded == ("/fluent-bit/kinesis.so",)
    assert "plugins:\n- /fluent-bit/kinesis.so\n" in fluent_bit.as_yaml(sections)


def test_without_aggregation_the_core_plugin_sends_to_the_data_stream() -> None:
    output = rendered(deployment(KINESIS, "dev")).outputs[1]
    assert (output["name"], output["stream"]) == ("kinesis_streams", "${SLUICE_STREAM_PREFIX}plain")
    assert output["simple_aggregation"] is True


def test_outside_of_the_image_an_aggregated_route_sends_a_line_per_record() -> None:
    """Its destination may take no more than one, and Firehose takes only aggregates apart."""
    abilities = fluent_bit.Abilities.of((5, 1, 1))
    sections = fluent_bit.sections(deployment(KINESIS, "dev"), fluent_bit.Places(), abilities)
    assert sections.outputs[0]["name"] == "kinesis_streams"
    assert "simple_aggregation" not in sections.outputs[0]
    assert sections.loaded == ()
    assert "plugins" not in fluent_bit.as_yaml(sections)
