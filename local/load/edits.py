"""Settings of Fluent Bit that a run changes, as `--set KEY=VALUE` and a matrix name them.

| KEY | is set in |
|---|---|
| service.KEY | the service section |
| input.KEY | every input that clients send to |
| output.KEY | every output that carries a route |
| output.ROUTE.KEY | that route's output |
| filter.PLUGIN.KEY | the filters of that plugin; where there is none, one for every tag is put at the end |
| KEY | wherever the rendered configuration has it |

Whether Fluent Bit knows the key and takes the value is Fluent Bit's to say: the aggregator asks it before it starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sluice.fluent_bit import Sections
from sluice.fluent_bit_outputs import Section

_KINDS: Final = ("service", "input", "output", "filter")
_FORMS: Final = "service.KEY, input.KEY, output.KEY, output.ROUTE.KEY or filter.PLUGIN.KEY"
_NOT_A_ROUTE: Final = "null"


class SettingError(ValueError):
    """A setting that names nothing; the text says what to write."""


def parse(settings: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` each. Raises SettingError for one that is not."""
    pairs = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise SettingError(f"{setting!r} is not KEY=VALUE, for example output.retry_limit=1")
        pairs[key.strip()] = value.strip()
    return pairs


def edited(config: Sections, settings: Mapping[str, str]) -> Sections:
    """The configuration with every setting in its place. Raises SettingError for a key that has none."""
    for key, value in settings.items():
        config = _set(config, key, value)
    return config


def _set(config: Sections, key: str, value: str) -> Sections:
    kind, _, rest = key.partition(".")
    if kind not in _KINDS or not rest:
        return _set_everywhere(config, key, value)
    match kind:
        case "service":
            return replace(config, service={**config.service, rest: value})
        case "input":
            return replace(config, inputs=tuple({**section, rest: value} for section in config.inputs))
        case "output":
            return replace(config, outputs=_in_outputs(config.outputs, rest, value))
        case _:
            return replace(config, filters=_in_filters(config.filters, rest, value))


def _set_everywhere(config: Sections, key: str, value: str) -> Sections:
    """Where the rendered configuration has the key already, it is clear what is meant."""

    def put(section: Section) -> Section:
        return {**section, key: value} if key in section else section

    found = Sections(
        service=put(config.service),
        loaded=config.loaded,
        inputs=tuple(map(put, config.inputs)),
        filters=tuple(map(put, config.filters)),
        outputs=tuple(map(put, config.outputs)),
    )
    if found == config and not any(
        key in section for section in (config.service, *config.inputs, *config.filters, *config.outputs)
    ):
        raise SettingError(f"the rendered configuration has no key {key!r}: say where it goes, as {_FORMS}")
    return found


def _in_outputs(outputs: Sequence[Section], rest: str, value: str) -> tuple[Section, ...]:
    routes = [str(section["alias"]) for section in outputs if section["name"] != _NOT_A_ROUTE]
    first, _, after = rest.partition(".")
    # A key may hold dots of its own: net.io_timeout, storage.total_limit_size.
    chosen, key = ([first], after) if first in routes and after else (routes, rest)
    return tuple({**section, key: value} if section["alias"] in chosen else section for section in outputs)


def _in_filters(filters: Sequence[Section], rest: str, value: str) -> tuple[Section, ...]:
    plugin, _, key = rest.partition(".")
    if not key:
        raise SettingError(f"filter.{rest}: write filter.PLUGIN.KEY=VALUE, for example filter.grep.exclude='log debug'")
    if not any(section["name"] == plugin for section in filters):
        return (*filters, {"name": plugin, "match": "*", key: value})
    return tuple({**section, key: value} if section["name"] == plugin else section for section in filters)
