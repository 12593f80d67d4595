"""sluice.yaml → `Config`, or everything that is wrong with it at once.

The file is read twice: as YAML nodes, which know their lines, and as the plain data made from them, which
pydantic validates. Aliases are refused along with everything else a configuration does not need, so the data
is never larger than the file.
"""

import copy
import difflib
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from sluice import advice, checks
from sluice.model import Config
from sluice.problems import ConfigError, Path, Problem, innermost

MAX_BYTES: Final = 1024 * 1024
# The parser's time grows with the square of their nesting.
MAX_BRACKETS: Final = 2000
_SHOWN: Final = 60
# What pydantic puts into its paths: the kinds of the unions, and the mark of a mapping's key.
_UNSPELLED: Final = {"new", "existing", "domain", "serverless", "s3", "opensearch", "[key]"}


def load(file: FilePath) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: the file is missing, is not YAML, or says something that cannot be deployed; its
            problems are all there are, each with line, key, value and remedy.
    """
    return load_advised(file)[0]


def load_advised(file: FilePath) -> tuple[Config, tuple[Problem, ...]]:
    """Read and validate a configuration file, and say what could be chosen better. ConfigError as load."""
    data, lines = _read(file)
    parsed, details = _parsed(data)
    found = [_shape(detail) for detail in details]
    breaches = [*checks.routes(_route_lines(data)), *checks.listeners(_ports(data))]
    survivor = parsed or _survivor(data, details)
    if survivor is not None:
        breaches += checks.config(survivor, whole=parsed is not None)
    found += [(breach.path, breach.message, breach.remedy) for breach in breaches]

    def placed(told: list[tuple[Path, str, str]]) -> tuple[Problem, ...]:
        problems = [
            Problem(str(file), _line(lines, path), path, _shown(data, path), message, remedy)
            for path, message, remedy in dict.fromkeys(told)
        ]
        return tuple(sorted(problems, key=lambda problem: problem.line))

    if found or parsed is None:
        raise ConfigError(placed(found))
    return parsed, placed([(breach.path, breach.message, breach.remedy) for breach in advice.advise(parsed)])


def _parsed(data: Any) -> tuple[Config | None, list[Any]]:  # noqa: ANN401 - what YAML holds
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        return None, innermost(error.errors(include_url=False))


def _survivor(data: Any, details: list[Any]) -> Config | None:  # noqa: ANN401
    """What is left when the malformed keys are taken out, so that the rest can be checked all the same.

    A list goes as a whole: without one of its items, every place behind that would be told wrongly.
    """
    rest = copy.deepcopy(data)
    for detail in details:
        holder, *path = rest, *_file_path(detail["loc"])
        while len(path) > 1 and isinstance(holder.get(path[0]), dict):
            holder = holder[path.pop(0)]
        if isinstance(holder, dict) and path:
            holder.pop(path[0], None)
    return _parsed(rest)[0]


def _read(file: FilePath) -> tuple[Any, dict[Path, int]]:
    def refuse(line: int, message: str, remedy: str) -> ConfigError:
        return ConfigError((Problem(str(file), line, (), "", message, remedy),))

    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise refuse(0, "there is no such file", "run in the repository, or name the file with --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise refuse(0, f"cannot be read: {error}", "make it a readable UTF-8 text file") from None
    if len(text) > MAX_BYTES:
        raise refuse(0, f"is larger than {MAX_BYTES} bytes", "a configuration is a few hundred lines")
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise refuse(
            0, f"is not YAML that we read: more than {MAX_BRACKETS} brackets", "write blocks, one key per line"
        )
    try:
        alias = next((event for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)), None)
        if alias is not None:
            line = alias.start_mark.line + 1 if alias.start_mark else 0
            raise refuse(line, f"refers to {alias.anchor!r}, and aliases are not taken", "write the value out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = dict(_lines(node, ()))
        return yaml.safe_load(text) or {}, lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise refuse(line, f"is not YAML: {error.problem}", "mend the line, or the one above it") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise refuse(0, f"is not YAML: {error}", "make it plain YAML: mappings, lists and values") from None


def _lines(node: yaml.Node | None, path: Path) -> Iterator[tuple[Path, int]]:
    """Every path in the document with the line of its key."""
    if node is None:
        return
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            yield from _lines(item, (*path, at))


def _line(lines: dict[Path, int], path: Path) -> int:
    """The line of the key, or of the nearest key around it that the file has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)


def _shown(data: Any, path: Path) -> str:  # noqa: ANN401 - what YAML holds
    value = data
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return "(not given)"
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _route_lines(data: Any) -> list[checks.RouteLine]:  # noqa: ANN401
    return [
        checks.RouteLine(path, item["name"], item["match"])
        for path, item in _items(data, "routes")
        if isinstance(item.get("name"), str) and isinstance(item.get("match"), str)
    ]


def _ports(data: Any) -> list[tuple[Path, str, int]]:  # noqa: ANN401
    found = [(path, item.get("name", "forward"), item.get("port", 24224)) for path, item in _items(data, "listeners")]
    return [(path, name, port) for path, name, port in found if isinstance(name, str) and isinstance(port, int)]


def _items(data: Any, section: str) -> Iterator[tuple[Path, dict[str, Any]]]:  # noqa: ANN401
    items = data.get(section) if isinstance(data, dict) else None
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (section, at), item


def _shape(detail: Any) -> tuple[Path, str, str]:  # noqa: ANN401 - pydantic's ErrorDetails
    """One of pydantic's errors as place, message and remedy."""
    path = _file_path(detail["loc"])
    model, field = _described(path)
    match detail["type"]:
        case "extra_forbidden":
            known = sorted(model.model_fields) if model else []
            close = difflib.get_close_matches(str(path[-1]), known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            told = "there is no such key", f"{hint}the keys here are {', '.join(known)}"
        case "missing":
            told = "this key is missing", f"add it{': ' + field if field else ''}"
        case "union_tag_invalid":
            told = "there is no such kind", f"take kind: {detail['ctx']['expected_tags']}"
        case "union_tag_not_found":
            told = "which kind it is, is not said", "add the key kind"
        case "enum" | "literal_error":
            told = "there is no such choice", f"take {detail['ctx']['expected']}"
        case "string_pattern_mismatch":
            told = "is not formed as it has to be", field or f"it has to match {detail['ctx']['pattern']}"
        case _:
            told = detail["msg"][:1].lower() + detail["msg"][1:], field or "give a value of that kind"
    return path, *told


def _file_path(location: Path) -> Path:
    """Pydantic's path less what the file does not spell: the variant of a union, the mark of a mapping's key."""
    return tuple(part for part in location if part not in _UNSPELLED)


def _described(path: Path) -> tuple[type[BaseModel] | None, str]:
    """The model that holds the last key of a path, and what is said of that key.

    Where a key may hold one of several models, that one of them which has the next key.
    """
    holders: list[type[BaseModel]] = [Config]
    text = ""
    for part in path:
        if isinstance(part, int):
            continue
        holder = next((each for each in holders if part in each.model_fields), None)
        if holder is None:
            continue
        field = holder.model_fields[part]
        text = field.description or ""
        inner = list(_models_in(field.annotation))
        if not inner or part == path[-1]:
            return holder, text
        holders = inner
    return holders[0] if holders else None, ""


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
