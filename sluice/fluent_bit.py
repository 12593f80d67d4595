"""The aggregator's Fluent Bit configuration, rendered from a deployment.

The configuration is built once as plain sections (`sections`) and written out in one of Fluent Bit's two
forms: `as_yaml` for 4.x and later, which the image and a current Fluent Bit read, and `as_classic` for an
older one on a developer's machine. Both say the same; only where the services are (`Places`) and what that
version can do (`Abilities`) may differ.

Why the settings are what they are is told beside each. They were chosen by killing, stopping and starving a
real Fluent Bit: see docs/decisions/0003-fluent-bit-settings.md.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from sluice import globs, limits, names
from sluice.model import RESERVED_TAG_PREFIX, Aggregator, Deployment, Listener
from sluice.routes import Route

Value = str | int | bool | tuple[str, ...]
Section = Mapping[str, Value]

# Every tag gets this on arrival, and loses it again in carry.lua: Fluent Bit acknowledges a record with an empty
# tag, or one that begins with NUL, and drops it.
ARRIVAL_PREFIX: Final = "in."
TAG_KEY: Final = "_tag"
TIME_KEY: Final = "_time"
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%9NZ"
CHUNKS_VARIABLE: Final = "SLUICE_MAX_CHUNKS"
METRICS_PORT: Final = 2020
FIREHOSE_PORT: Final = 443
# Under ECS's stopTimeout, so that Fluent Bit ends by itself and not by SIGKILL; it ends as soon as it is empty.
GRACE_SECONDS: Final = limits.STOP_TIMEOUT_SECONDS - 20
# A stuck connection must not hold a chunk for ever: after this long without a byte it is tried again.
IO_TIMEOUT_SECONDS: Final = 30
RETRY_CAP_SECONDS: Final = 30
# The most that one forward message may hold. Fluentd's default chunk is 8 MB; a larger one is never acknowledged.
LARGEST_MESSAGE_BYTES: Final = 16 * limits.MIB


@dataclass(frozen=True)
class Places:
    """Where the aggregator listens, writes and sends: the image's places unless said otherwise."""

    home: str = "/sluice"
    buffer: str = "/sluice/buffer"
    listen: str = "0.0.0.0"  # noqa: S104 - a container's own address is not known before it runs
    metrics_port: int = METRICS_PORT
    ports: Mapping[str, int] = field(default_factory=dict)
    firehose_host: str | None = None
    firehose_port: int = FIREHOSE_PORT
    firehose_ca_file: str | None = None

    def port(self, listener: Listener) -> int:
        """The port the listener has here."""
        return self.ports.get(listener.name, listener.port)


@dataclass(frozen=True)
class Abilities:
    """What a version of Fluent Bit can do; the defaults are those of 5.x."""

    yaml: bool = True
    packing: bool = True
    firehose_port: bool = True
    nanoseconds: bool = True
    io_timeout: bool = True
    lua_nulls: bool = True
    plain_unicode: bool = True

    @classmethod
    def of(cls, version: tuple[int, ...]) -> "Abilities":
        """The abilities of a released version, as (5, 1, 1)."""
        return cls(
            yaml=version >= (4,),
            packing=version >= (4, 2, 2),
            firehose_port=version >= (5,),
            nanoseconds=version >= (4,),
            io_timeout=version >= (2,),
            lua_nulls=version >= (3,),
            plain_unicode=version >= (4, 1),
        )


@dataclass(frozen=True)
class Sections:
    """A configuration: the service, and the plugins in the order a record meets them."""

    service: Section
    inputs: tuple[Section, ...]
    filters: tuple[Section, ...]
    outputs: tuple[Section, ...]


def sections(deployment: Deployment, places: Places, abilities: Abilities) -> Sections:
    """Everything Fluent Bit is told."""
    taken: tuple[str, ...] = (f"{ARRIVAL_PREFIX}{RESERVED_TAG_PREFIX}*",)
    outputs = []
    for route in deployment.routes:
        match = f"{ARRIVAL_PREFIX}{route.match}"
        outputs.append(_firehose(route, exclusive(match, taken), places, abilities))
        taken = (*taken, match)
    return Sections(
        service=_service(places, abilities),
        inputs=tuple(_forward(listener, places) for listener in deployment.listeners),
        filters=_filters(places, abilities),
        outputs=(*outputs, {"name": "null", "alias": "probe", "match": taken[0]}),
    )


def environment(deployment: Deployment) -> dict[str, str]:
    """The variables in which environments differ, so that one image serves them all.

    `AWS_REGION` is the third one; on Fargate it is there already.
    """
    return {
        names.STREAM_PREFIX_VARIABLE: names.stream_prefix(deployment),
        CHUNKS_VARIABLE: str(chunks_in_memory(deployment.aggregator)),
    }


def chunks_in_memory(aggregator: Aggregator) -> int:
    """How many chunks may wait before the input pauses: half of the task's memory, the rest is for working."""
    return aggregator.memory_mib * limits.MIB // 2 // limits.FLUENT_BIT_CHUNK_BYTES


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


def _service(places: Places, abilities: Abilities) -> Section:
    return {
        "flush": 1,
        "grace": GRACE_SECONDS,
        "log_level": "info",
        "http_server": True,
        "http_listen": "127.0.0.1",  # the containers of a task share it; nobody else needs it
        "http_port": places.metrics_port,
        "health_check": True,
        "storage.path": places.buffer,
        "storage.sync": "normal",
        "storage.checksum": False,  # with checksums, every acknowledged record was lost on a kill
        "storage.metrics": True,
        "storage.max_chunks_up": f"${{{CHUNKS_VARIABLE}}}",
        "storage.backlog.mem_limit": "64M",
        **({"json.escape_unicode": False} if abilities.plain_unicode else {}),  # half the bytes, all the same text
        "scheduler.base": 1,
        "scheduler.cap": RETRY_CAP_SECONDS,  # the default is half an hour
    }


def _forward(listener: Listener, places: Places) -> Section:
    return {
        "name": "forward",
        "alias": listener.name,
        "listen": places.listen,
        "port": places.port(listener),
        "tag_prefix": ARRIVAL_PREFIX,
        "buffer_chunk_size": "1M",
        "buffer_max_size": LARGEST_MESSAGE_BYTES,
        # An acknowledgement must mean: in the file. Memory storage, `threaded` and `workers` acknowledge earlier.
        "storage.type": "filesystem",
        # A full buffer closes connections, and clients try again; the alternative is to drop the oldest.
        "storage.pause_on_chunks_overlimit": True,
    }


def _filters(places: Places, abilities: Abilities) -> tuple[Section, ...]:
    carry: dict[str, Value] = {
        "name": "lua",
        "match": "*",
        "script": f"{places.home}/carry.lua",
        "call": "carry" if abilities.nanoseconds else "carry_with_time",
        "time_as_table": True,
    }
    if abilities.lua_nulls:
        carry["enable_flb_null"] = True
    # A client's own keys of these names would be taken for ours.
    strip: Section = {"name": "record_modifier", "match": "*", "remove_key": (TAG_KEY, TIME_KEY)}
    return strip, carry


def _firehose(route: Route, match: Section, places: Places, abilities: Abilities) -> Section:
    output: dict[str, Value] = {
        "name": "kinesis_firehose",
        "alias": route.name,
        **match,
        "region": "${AWS_REGION}",
        "delivery_stream": f"${{{names.STREAM_PREFIX_VARIABLE}}}{route.name}",
        "retry_limit": "no_limits",  # the default, one retry, loses on a throttle
        "workers": 1,
    }
    if abilities.nanoseconds:
        output |= {"time_key": TIME_KEY, "time_key_format": TIME_FORMAT}
    if abilities.io_timeout:
        output["net.io_timeout"] = f"{IO_TIMEOUT_SECONDS}s"
    if abilities.packing and route.buffering.pack:
        output["simple_aggregation"] = True
    if places.firehose_host is not None:
        output["endpoint"] = places.firehose_host
        if abilities.firehose_port:
            output["port"] = places.firehose_port
        if places.firehose_ca_file is not None:
            output["tls.ca_file"] = places.firehose_ca_file
    return output


def as_yaml(config: Sections) -> str:
    """The form of Fluent Bit 4.x and later."""
    tree = {
        "service": _tree(config.service),
        "pipeline": {
            "inputs": [_tree(section) for section in config.inputs],
            "filters": [_tree(section) for section in config.filters],
            "outputs": [_tree(section) for section in config.outputs],
        },
    }
    return _HEAD + yaml.safe_dump(tree, sort_keys=False, width=120)


def as_classic(config: Sections) -> str:
    """The form that every Fluent Bit reads."""
    kinds = (
        ("SERVICE", (config.service,)),
        ("INPUT", config.inputs),
        ("FILTER", config.filters),
        ("OUTPUT", config.outputs),
    )
    lines = [line for kind, plugins in kinds for section in plugins for line in _block(kind, section)]
    return _HEAD + "\n".join(lines)


_HEAD: Final = "# Generated from sluice.yaml by `sluice render`. Edit that file, not this one.\n"
_SWITCH: Final = {True: "on", False: "off"}


def _tree(section: Section) -> dict[str, str | int | list[str]]:
    tree: dict[str, str | int | list[str]] = {}
    for key, value in section.items():
        if isinstance(value, bool):
            tree[key] = _SWITCH[value]
        else:
            tree[key] = list(value) if isinstance(value, tuple) else value
    return tree


def _block(kind: str, section: Section) -> Iterator[str]:
    yield f"[{kind}]"
    for key, value in _tree(section).items():
        for one in value if isinstance(value, list) else [value]:
            yield f"    {key} {one}"
    yield ""
