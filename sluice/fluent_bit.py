"""The aggregator's Fluent Bit configuration, rendered from a deployment.

The configuration is built once as plain sections (`sections`) and written out in one of Fluent Bit's two
forms: `as_yaml` for 4.x and later, which the image and a current Fluent Bit read, and `as_classic` for an
older one on a developer's machine. Both say the same; only where the services are (`Places`) and what that
version can do (`Abilities`) may differ.

Why the settings are what they are is told beside each. They were chosen by killing, stopping and starving a
real Fluent Bit: see docs/decisions/0003-fluent-bit-settings.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from sluice import limits, names
from sluice.fluent_bit_outputs import Section, exclusive, is_aggregated, output
from sluice.fluent_bit_places import Abilities, Places
from sluice.model import RESERVED_TAG_PREFIX, Aggregator, Deployment, Listener

__all__ = ["Abilities", "Places", "Section", "Sections", "as_classic", "as_yaml", "environment", "sections"]

# Every tag gets this on arrival, and loses it again in carry.lua: Fluent Bit acknowledges a record with an empty
# tag, or one that begins with NUL, and drops it.
ARRIVAL_PREFIX: Final = "in."
CHUNKS_VARIABLE: Final = "SLUICE_MAX_CHUNKS"
# Under ECS's stopTimeout, so that Fluent Bit ends by itself and not by SIGKILL; it ends as soon as it is empty.
GRACE_SECONDS: Final = limits.STOP_TIMEOUT_SECONDS - 20
RETRY_CAP_SECONDS: Final = 30
# The most that one forward message may hold. Fluentd's default chunk is 8 MB; a larger one is never acknowledged.
LARGEST_MESSAGE_BYTES: Final = 16 * limits.MIB


@dataclass(frozen=True)
class Sections:
    """A configuration: the service, what it loads, and the plugins in the order a record meets them."""

    service: Section
    loaded: tuple[str, ...]
    inputs: tuple[Section, ...]
    filters: tuple[Section, ...]
    outputs: tuple[Section, ...]


def sections(deployment: Deployment, places: Places, abilities: Abilities) -> Sections:
    """Everything Fluent Bit is told."""
    taken: tuple[str, ...] = (f"{ARRIVAL_PREFIX}{RESERVED_TAG_PREFIX}*",)
    stamped, outputs = [], []
    for route in deployment.routes:
        match = f"{ARRIVAL_PREFIX}{route.match}"
        takes = exclusive(match, taken)
        outputs.append(output(route, takes, places, abilities))
        if is_aggregated(route, abilities):
            stamped.append(takes)
        taken = (*taken, match)
    return Sections(
        service=_service(places, abilities),
        loaded=(abilities.kinesis_plugin,) if stamped and abilities.kinesis_plugin else (),
        inputs=tuple(_forward(listener, places) for listener in deployment.listening("stored")),
        filters=(*_filters(places, abilities), *(_lua("stamp", takes, places, abilities) for takes in stamped)),
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
    # One filter, for each decodes and writes every record: this one takes a client's own _tag and _time away, too.
    carry = "carry" if abilities.nanoseconds else "carry_with_time"
    return (_lua(carry, {"match": "*"}, places, abilities),)


def _lua(function: str, match: Section, places: Places, abilities: Abilities) -> Section:
    return {
        "name": "lua",
        **match,
        "script": f"{places.home}/carry.lua",
        "call": function,
        **({} if function == "carry" else {"time_as_table": True}),  # a table for each record; `carry` needs none
        **({"enable_flb_null": True} if abilities.lua_nulls else {}),
    }


def as_yaml(config: Sections) -> str:
    """The form of Fluent Bit 4.x and later."""
    tree = {
        "service": _tree(config.service),
        **({"plugins": list(config.loaded)} if config.loaded else {}),
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
