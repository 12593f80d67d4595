"""Which Fluent Bit a local run uses, and how to start it.

`find` tries, in this order: the file that the variable FLUENT_BIT names, `fluent-bit` on PATH, a Docker
image of the caller's choice when an engine answers, and a build of our own (`fluent_bit_fallback`). The
first three cost a second; a first image pull or build costs minutes, once. An explicit FLUENT_BIT that does
not work is an error, never a reason to go on with another one.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from local.fluent_bit_fallback import BuildError, Fallback
from sluice.fluent_bit import Abilities

VARIABLE: Final = "FLUENT_BIT"
REPOSITORY: Final = "public.ecr.aws/aws-observability/aws-for-fluent-bit"
OWN_BUILD: Final = "our own build"
IN_IMAGE: Final = "/fluent-bit/bin/fluent-bit"

_QUESTION_SECONDS = 20
_PULL_SECONDS = 300
_DRY_RUN_SECONDS = 60
_VERSION = re.compile(r"Fluent Bit v(\d+)\.(\d+)\.(\d+)")

Version = tuple[int, int, int]


class FluentBitMissingError(Exception):
    """No Fluent Bit was found; the text names what was tried and what to do."""


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What Fluent Bit says of a configuration: `message` is its whole answer, empty lines removed."""

    accepted: bool
    message: str


@dataclass(frozen=True, kw_only=True)
class FluentBit:
    """A Fluent Bit that answered its version: a file, or an image when `image` is set."""

    version: Version
    source: str
    program: str
    image: str | None = None

    @property
    def version_text(self) -> str:
        """The version as people write it, 5.1.1."""
        return ".".join(map(str, self.version))

    @property
    def abilities(self) -> Abilities:
        """What a configuration for it may use. Our own build follows Firehose's port despite its age."""
        of_version = Abilities.of(self.version)
        return replace(of_version, aws_port=True) if self.source == OWN_BUILD else of_version

    def argv(
        self,
        config: Path,
        *arguments: str,
        directories: Iterable[Path] = (),
        variables: Iterable[str] = (),
    ) -> list[str]:
        """The command line that runs it in the foreground with this configuration.

        `directories` are what it reads and writes besides the configuration's own directory, and `variables`
        the names of environment variables it needs; both only matter to a container, which sees the host's
        paths under their own names and uses the host's network.
        """
        command = [self.program, "-c", str(config.resolve()), *arguments]
        if self.image is None:
            return command
        seen = dict.fromkeys([config.resolve().parent, *(directory.resolve() for directory in directories)])
        return [
            *("docker", "run", "--rm", "--init", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"),
            *(part for directory in seen for part in ("--volume", f"{directory}:{directory}")),
            *(part for name in variables for part in ("--env", name)),
            *("--entrypoint", self.program, self.image),
            *command[1:],
        ]

    def dry_run(
        self, config: Path, *, directories: Iterable[Path] = (), environment: Mapping[str, str] | None = None
    ) -> DryRun:
        """Whether it takes the configuration. `environment` is what the configuration's variables refer to.

        5.1.1 checks sections, plugins, their properties' names, and that a Lua script loads; 1.8.15 only
        sections and plugins. Neither checks the service's keys, regular expressions or required properties.
        """
        given = dict(environment or {})
        argv = self.argv(config, "--dry-run", directories=directories, variables=given)
        # Relative paths in a configuration must not end up wherever we happen to be.
        with tempfile.TemporaryDirectory() as elsewhere:
            status, said = _ask(argv, seconds=_DRY_RUN_SECONDS, environment=given, directory=elsewhere)
        return DryRun(accepted=status == 0, message="\n".join(line for line in said.splitlines() if line.strip()))


def find(*, cache: Path, image_tag: str | None, on_progress: Callable[[str], None] = lambda _step: None) -> FluentBit:
    """The first Fluent Bit that works.

    `cache` is where our own build is kept, `image_tag` an exact tag of AWS's image (None: do not try Docker);
    `on_progress` hears of what may take minutes. Raises FluentBitMissingError.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return named(chosen)
    tried = []
    for source, look in (
        ("PATH", _on_path),
        ("Docker", lambda: _in_docker(image_tag, on_progress)),
        (OWN_BUILD, lambda: _built(Fallback(cache=cache, on_step=on_progress))),
    ):
        found = look()
        if isinstance(found, FluentBit):
            return found
        tried.append(f"{source}: {found}")
    looked = "\n".join(f"  - {one}" for one in tried)
    raise FluentBitMissingError(
        f"No Fluent Bit runs here. Tried:\n{looked}\n"
        f"Install Fluent Bit (https://docs.fluentbit.io/manual/installation), or set {VARIABLE} to its path."
    )


def named(program: str, *, by: str = VARIABLE) -> FluentBit:
    """The Fluent Bit of that name or path; `by` is what named it. Raises FluentBitMissingError."""
    path = shutil.which(program)
    version = None if path is None else _version([path])
    if path is None or version is None:
        raise FluentBitMissingError(
            f"{by} is {program}, which does not answer --version as Fluent Bit does."
            f" Set it to the path of a Fluent Bit, or unset it."
        )
    return FluentBit(version=version, source=by, program=str(Path(path).resolve()))


def _on_path() -> FluentBit | str:
    """The first `fluent-bit` on PATH, or why there is none; so do the two that follow."""
    program = shutil.which("fluent-bit")
    if program is None:
        return "no fluent-bit there"
    version = _version([program])
    if version is None:
        return f"{program} did not answer --version"
    return FluentBit(version=version, source="PATH", program=program)


def _in_docker(tag: str | None, on_progress: Callable[[str], None]) -> FluentBit | str:
    docker = shutil.which("docker")
    if tag is None or docker is None:
        return "no docker on PATH" if tag else "not wanted"
    status, _ = _ask([docker, "version", "--format", "{{.Server.Version}}"], seconds=_QUESTION_SECONDS)
    if status != 0:
        return "its engine does not answer"
    image = f"{REPOSITORY}:{tag}"
    on_progress(f"asking {image} for its version; the first time, Docker downloads it")
    version = _version([docker, "run", "--rm", "--entrypoint", IN_IMAGE, image], seconds=_PULL_SECONDS)
    if version is None:
        return f"{image} did not answer --version"
    return FluentBit(version=version, source="Docker", program=IN_IMAGE, image=image)


def _built(fallback: Fallback) -> FluentBit | str:
    try:
        program = str(fallback.ensure())
    except BuildError as error:
        return str(error)
    version = _version([program])
    if version is None:
        return f"{program} did not answer --version: delete its directory to have it built again"
    return FluentBit(version=version, source=OWN_BUILD, program=program)


def _version(command: list[str], *, seconds: float = _QUESTION_SECONDS) -> Version | None:
    _, said = _ask([*command, "--version"], seconds=seconds)
    found = _VERSION.search(said)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def _ask(
    argv: list[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
) -> tuple[int, str]:
    """Exit status and everything said; 127 when it cannot run, 124 when it takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own programs
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            env={**os.environ, **(environment or {})},
            cwd=directory,
            check=False,
        )
    except OSError as error:
        return 127, str(error)
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {seconds:g} s"
    return done.returncode, done.stdout.decode(errors="replace")
