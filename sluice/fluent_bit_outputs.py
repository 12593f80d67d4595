"""The output of each route: which plugin carries its records, and which tags it takes.

To Firehose with the core plugin `kinesis_firehose`. To a data stream with AWS's Go plugin `kinesis`, which writes KPL
aggregates, or without aggregation with the core plugin `kinesis_streams`.

What the Go plugin (1.10.2, its source) does in silence, and what is done about it: it discards a record with a number
that JSON cannot hold, and cuts one that is over 1 MiB once `<`, `>` and `&` are spelled with six characters; carry.lua
spells such numbers and counts such characters. It writes milliseconds; carry.lua writes the time. With
`experimental_concurrency` it reports success before Kinesis has answered: it stays off.
https://github.com/aws/amazon-kinesis-streams-for-fluent-bit
"""

import re
from collections.abc import Mapping
from typing import Final

from sluice import globs, names
from sluice.fluent_bit_places import Abilities, Places
from sluice.routes import Route

Value = str | int | bool | tuple[str, ...]
Section = Mapping[str, Value]

TIME_KEY: Final = "_time"
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%9NZ"
# A stuck connection must not hold a chunk for ever: after this long without a byte it is tried again.
IO_TIMEOUT_SECONDS: Final = 30


def output(route: Route, match: Section, places: Places, abilities: Abilities) -> Section:
    """The plugin that carries a route's records."""
    if is_aggregated(route, abilities):
        return _aggregating(route, match, places)
    return _core(route, match, places, abilities)


def is_aggregated(route: Route, abilities: Abilities) -> bool:
    """Whether the route's records leave here as KPL aggregates."""
    return route.is_aggregated and abilities.kinesis_plugin is not None


def _core(route: Route, match: Section, places: Places, abilities: Abilities) -> Section:
    direct = route.via == "direct"
    name, stream = ("kinesis_firehose", "delivery_stream") if direct else ("kinesis_streams", "stream")
    section: dict[str, Value] = {
        "name": name,
        "alias": route.name,
        **match,
        "region": "${AWS_REGION}",
        stream: f"${{{names.STREAM_PREFIX_VARIABLE}}}{route.name}",
        "retry_limit": "no_limits",  # the default, one retry, loses on a throttle
        "workers": 1,
    }
    if abilities.nanoseconds:
        section |= {"time_key": TIME_KEY, "time_key_format": TIME_FORMAT}
    if abilities.io_timeout:
        section["net.io_timeout"] = f"{IO_TIMEOUT_SECONDS}s"
    # Where lines were to be aggregated, Firehose takes records for one line each.
    if abilities.packing and route.buffering.pack and not route.is_aggregated:
        section["simple_aggregation"] = True
    if places.aws_host is not None:
        section["endpoint"] = places.aws_host
        if abilities.aws_port:
            section["port"] = places.aws_port
        if places.aws_ca_file is not None:
            section["tls.ca_file"] = places.aws_ca_file
    return section


def _aggregating(route: Route, match: Section, places: Places) -> Section:
    section: dict[str, Value] = {
        "name": "kinesis",
        "alias": route.name,
        **match,
        "region": "${AWS_REGION}",
        "stream": f"${{{names.STREAM_PREFIX_VARIABLE}}}{route.name}",
        "partition_key": route.kinesis.partition_key,
        "aggregation": "true",
        "http_request_timeout": IO_TIMEOUT_SECONDS,  # it has none of its own
        "retry_limit": "no_limits",
        "workers": 1,  # without one, the whole of Fluent Bit waits for each of its calls
    }
    if places.aws_host is not None:
        section["endpoint"] = f"https://{places.aws_host}:{places.aws_port}"
    return section


def exclusive(match: str, taken: tuple[str, ...]) -> Section:
    """The output's match for a glob, less every tag that an earlier one takes.

    Fluent Bit gives a record to every output whose match fits, and drops an acknowledged record that fits
    none: so the matches of a configuration must neither overlap nor leave a gap. Its regular expressions are
    tried at the start of the tag, and have to consume something to count.
    """
    earlier = [other for other in taken if globs.overlaps(match, other)]
    if not earlier:
        return {"match": match}
    return {"match_regex": rf"\A(?!{'|'.join(_pattern(glob) for glob in earlier)}){_pattern(match)}"}


def _pattern(glob: str) -> str:
    """The glob as a regular expression from the start of the tag. A tag may hold any byte, line ends too."""
    return r"(?m:.*)".join(re.escape(part).replace("/", r"\/") for part in glob.split(globs.STAR)) + r"\z"
