"""The real CDK command line against the emulator: bootstrap, synth, deploy, destroy.

`Cdk` runs the pinned `aws-cdk` of node_modules on the virtual environment's Node, each command
supervised, logged and under a timeout. A synthesis yields a cloud assembly (a directory), which is what
gets deployed: so it can run while the emulator is being bootstrapped, and one whose inputs did not
change is not repeated. Progress and failures are read from the command line's own event lines.

Cost on two cores: bootstrap 3 s, synth 13 s (0 s when cached), deploy of three stacks 7 s, again
without a change 1.5 s, destroy 7 s.
"""

import hashlib
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from local.emulator import Emulator, node_directory
from local.process import start

Outputs = dict[str, dict[str, str]]
"""Stack name → output name → value."""

BOOTSTRAP_SECONDS = 300
SYNTH_SECONDS = 300
DEPLOY_SECONDS = 600

# For example: net |  3/27 | 2:54:19 AM | CREATE_FAILED | AWS::EC2::VPC | Vpc (Vpc8378EB38) the reason
_EVENT = re.compile(
    r"^\s*(?P<stack>[\w-]+) \|\s*(?P<done>\d+)(?:/(?P<total>\d+))? \|[^|]*\| (?P<status>[A-Z_]+)\s*"
    r"\| (?P<kind>[\w:]+)\s*\| (?P<resource>.*)$"
)
_TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class DeployError(Exception):
    """A CDK command failed; the text says which, the failing resource and reason, and the log."""


@dataclass(frozen=True, kw_only=True)
class StackEvent:
    """One line of a deployment's progress: `done` of `total` resources (0: not yet known)."""

    stack: str
    done: int
    total: int
    status: str
    kind: str
    resource: str


@dataclass(frozen=True, kw_only=True)
class App:
    """A CDK application: its directory, its context, and what its synthesis depends on.

    `inputs` are files and directories whose content, with the context and the interpreter, decides the
    assembly; none means never to reuse one.
    """

    directory: Path
    context: Mapping[str, str]
    inputs: tuple[Path, ...] = ()
    command: tuple[str, ...] = (sys.executable, "app.py")


@dataclass(frozen=True, kw_only=True)
class Cdk:
    """The command line, bound to one emulator; logs and settings stay under `work`.

    `project` is the directory with node_modules; `cache` keeps assemblies and compiled JavaScript
    between runs. Every method raises DeployError when its command fails, ProcessError when its time is over.
    """

    emulator: Emulator
    project: Path
    work: Path
    cache: Path
    on_event: Callable[[StackEvent], None] = lambda _event: None

    def deploy_app(self, app: App) -> tuple[Path, Outputs]:
        """Bootstrap and synthesize side by side, then deploy: the assembly and its stacks' outputs."""
        with ThreadPoolExecutor(max_workers=2) as side_by_side:
            bootstrapped = side_by_side.submit(self.bootstrap)
            synthesized = side_by_side.submit(self.synthesize, app)
            bootstrapped.result()
            assembly = synthesized.result()
        return assembly, self.deploy(assembly)

    def bootstrap(self) -> None:
        """Create the CDK's asset bucket and roles, from a directory without a cdk.json."""
        target = f"aws://{self.emulator.account}/{self.emulator.region}"
        empty = self.work / "bootstrap"
        empty.mkdir(parents=True, exist_ok=True)
        self._run("bootstrap", target, directory=empty, seconds=BOOTSTRAP_SECONDS)

    def synthesize(self, app: App) -> Path:
        """The app's cloud assembly: from the cache when its inputs are what they were, else made anew."""
        key = _digest(app)
        assembly = self.cache.resolve() / "assemblies" / key
        if app.inputs and (assembly / "manifest.json").is_file():
            return assembly
        assembly.parent.mkdir(parents=True, exist_ok=True)
        context = chain.from_iterable(("--context", f"{key}={value}") for key, value in app.context.items())
        with TemporaryDirectory(dir=assembly.parent) as temporary:
            fresh = Path(temporary) / "cdk.out"
            self._run(
                "synth",
                *("--quiet", "--app", shlex.join(app.command), "--output", str(fresh), *context),
                directory=app.directory,
                seconds=SYNTH_SECONDS,
            )
            shutil.rmtree(assembly, ignore_errors=True)
            fresh.rename(assembly)
        return assembly

    def deploy(self, assembly: Path, *, concurrency: int = 4) -> Outputs:
        """Deploy every stack of the assembly; its outputs, without those that only join stacks."""
        outputs = self.work.resolve() / "outputs.json"
        outputs.unlink(missing_ok=True)
        self._run(
            "deploy",
            *(
                "--all",
                "--app",
                str(assembly),
                "--require-approval",
                "never",
                "--progress",
                "events",
                "--method",
                "direct",
            ),
            *("--concurrency", str(concurrency), "--outputs-file", str(outputs)),
            directory=self.work,
            seconds=DEPLOY_SECONDS,
        )
        found: Outputs = json.loads(outputs.read_text()) if outputs.exists() else {}
        return {
            stack: {name: value for name, value in values.items() if not name.startswith("ExportsOutput")}
            for stack, values in found.items()
        }

    def destroy(self, assembly: Path) -> None:
        """Delete every stack of the assembly, as a user's `cdk destroy` would."""
        self._run(
            "destroy",
            *("--all", "--force", "--app", str(assembly), "--progress", "events"),
            directory=self.work,
            seconds=DEPLOY_SECONDS,
        )

    def _run(self, command: str, *arguments: str, directory: Path, seconds: float) -> None:
        cli = self.project.resolve() / "node_modules" / "aws-cdk" / "bin" / "cdk"
        if not cli.is_file():
            raise DeployError(f"there is no CDK command line at {cli}: run `make setup` in {self.project}")
        self.work.mkdir(parents=True, exist_ok=True)
        log = self.work / f"cdk-{command}.log"
        seen: list[str] = []

        def read(line: str) -> None:
            plain = _TERMINAL_COLOUR.sub("", line)
            seen.append(plain)
            event = stack_event(plain)
            if event is not None:
                self.on_event(event)

        with start(
            [node_directory() / "node", cli, command, *arguments, "--ci", "--no-notices", "--no-color"],
            name=f"cdk {command}",
            log=log,
            environment=self._environment(),
            directory=directory,
        ) as running:
            status = running.wait(timeout_seconds=seconds, on_line=read)
        if status != 0:
            raise DeployError(f"cdk {command} ended with status {status}. {_reason(seen)}\nThe whole log: {log}")

    def _environment(self) -> dict[str, str]:
        return {
            **self.emulator.environment,
            # Its home is where the command line keeps caches and a telemetry identity.
            "CDK_HOME": str(self.work.resolve() / "cdk-home"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "1",
            "JSII_NODE": str(node_directory() / "node"),
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
            "NODE_COMPILE_CACHE": str(self.cache.resolve() / "node"),
        }


def stack_event(line: str) -> StackEvent | None:
    """The event in one line of the CDK's progress, if it is one."""
    found = _EVENT.match(line)
    if found is None:
        return None
    return StackEvent(
        stack=found["stack"],
        done=int(found["done"]),
        total=int(found["total"] or 0),
        status=found["status"],
        kind=found["kind"],
        resource=found["resource"].strip(),
    )


def _reason(lines: list[str]) -> str:
    """The resources that failed of themselves; without any, the end of what was said."""
    events = (event for line in lines if (event := stack_event(line)) is not None)
    failed = [
        f"{event.stack}: {event.kind} {event.resource} ({event.status})"
        for event in events
        if event.status.endswith("_FAILED") and "cancelled" not in event.resource
    ]
    return "\n".join(dict.fromkeys(failed)) or "\n".join([line for line in lines if line.strip()][-25:])


def _digest(app: App) -> str:
    """A name for the assembly that these inputs give."""
    digest = hashlib.sha256()
    # An input's path is told from its content by its length, and both by a kind of their own.
    for text in (sys.version, *app.command, *(f"{key}={value}" for key, value in sorted(app.context.items()))):
        digest.update(f"{len(text)}:{text}".encode())
    for file in sorted(_files(app.inputs)):
        content = file.read_bytes()
        digest.update(f"{file}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        inside = [path] if path.is_file() else path.rglob("*")
        yield from (file for file in inside if file.is_file() and "__pycache__" not in file.parts)
