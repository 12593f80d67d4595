"""A Fluent Bit of our own for a machine that has none: 1.8.15, built once from source into a cache.

The npm package `fluent-bit` carries the whole source of Fluent Bit 1.8.15 except its regular-expression
library, Onigmo. The system's Oniguruma, which Onigmo descends from and whose API it keeps, takes its place
through a `lib/onigmo` of three small files that stand where Onigmo's build would. One change of its source
lets `kinesis_firehose` and `kinesis_streams` follow the property `port`, as Fluent Bit 5 does, so that the local
Firehose needs no privileged port.

Cost: a 14 MB download and one to two minutes on two cores, once; 11 MB in the cache afterwards. What the
old version lacks, the renderer leaves out (`sluice.fluent_bit.Abilities`).
"""

import base64
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local import making
from local.emulator import node_directory
from local.process import ProcessError

VERSION: Final = "1.8.15"
PACKAGE: Final = "fluent-bit@0.0.3"
# As the registry states it: `npm view fluent-bit@0.0.3 dist.integrity`.
INTEGRITY: Final = "aphqYAdWbA78zBOJZ8MMThiMGRKQHFoPl988INriZRnTPYrryyyPlG8csC3ZZOe/xAYgbuBZ4mY94i+RyDRGFQ=="

_DOWNLOAD_SECONDS = 180
_BUILD_SECONDS = 1200
_SOURCE = "package/src/fluent-bit"

# Debian's package → what shows that it is there: a program on PATH or a header.
_NEEDS: Final[Mapping[str, str]] = {
    "gcc": "cc",
    "g++": "c++",
    "make": "make",
    "cmake": "cmake",
    "flex": "flex",
    "bison": "bison",
    "libonig-dev": "/usr/include/oniguruma.h",
    "libssl-dev": "/usr/include/openssl/ssl.h",
}

_ONIGMO: Final[Mapping[str, str]] = {
    "onigmo.h": "#include <oniguruma.h>\n",
    "configure": (
        "#!/bin/sh\n"
        "for argument; do\n"
        'case "$argument" in --prefix=*) echo "PREFIX = ${argument#--prefix=}" > prefix.mk;; esac\n'
        "done\n"
    ),
    # The archive is a linker script: whoever links Onigmo links the system's Oniguruma.
    "Makefile": (
        "include prefix.mk\n"
        "all:\n"
        "install:\n"
        "\tmkdir -p $(PREFIX)/include $(PREFIX)/lib\n"
        "\tcp onigmo.h $(PREFIX)/include/\n"
        "\techo 'INPUT(-lonig)' > $(PREFIX)/lib/libonigmo.a\n"
    ),
}

# Its clients of Firehose and Kinesis know port 443 alone, which only root may listen on. The property `port` is read
# by every output already, so two places in each are all it takes to follow it.
_PORT = "ins->host.port ? ins->host.port : 443"
_CLIENTS: Final[Mapping[str, str]] = {
    "out_kinesis_firehose/firehose.c": "ctx->firehose_client->port = ",
    "out_kinesis_streams/kinesis.c": "ctx->kinesis_client->port = ",
}
_UPSTREAM: Final = ", FLB_IO_TLS,"
# Part of the cache's name, to be raised when what is changed here changes.
_RECIPE: Final = 2

_CMAKE: Final = (
    "-DFLB_RELEASE=On",
    "-DFLB_SHARED_LIB=Off",
    "-DFLB_EXAMPLES=Off",
    "-DFLB_BACKTRACE=Off",
    "-DFLB_JEMALLOC=Off",
    # Compilers since GCC 10 refuse this source's tentative definitions without it.
    "-DCMAKE_C_FLAGS=-fcommon",
)


class BuildError(Exception):
    """The fallback could not be built; the text says at which step, why, and the remedy or the log."""


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """The build, in a cache directory; `on_step` hears what is being done, as it takes minutes."""

    cache: Path
    on_step: Callable[[str], None] = lambda _step: None

    @property
    def home(self) -> Path:
        """Where it is kept: the program, its licence and the build's log."""
        return self.cache.resolve() / f"fluent-bit-{VERSION}-{_RECIPE}"

    @property
    def program(self) -> Path:
        """The program's path, whether built or not."""
        return self.home / "fluent-bit"

    def ensure(self) -> Path:
        """The program, built if it is not there. Of several callers at once, one builds. Raises BuildError."""
        if self.program.is_file():
            return self.program
        self.cache.mkdir(parents=True, exist_ok=True)
        with making.alone(self._beside(".lock")):
            if not self.program.is_file():
                try:
                    self._build()
                except ProcessError as error:
                    raise BuildError(str(error)) from error
        return self.program

    def _beside(self, suffix: str) -> Path:
        return self.home.with_name(self.home.name + suffix)

    def _build(self) -> None:
        _install_needs(self.on_step, log=self._beside(".packages.log"))
        with tempfile.TemporaryDirectory(dir=self.cache.resolve(), prefix="fluent-bit-build-") as temporary:
            work = Path(temporary)
            log = self._beside(".build.log")
            self.on_step(f"downloading Fluent Bit {VERSION}'s source")
            source = _download(work)
            _adapt(source)
            self.on_step(f"building Fluent Bit {VERSION}, once: one to two minutes")
            built = _compile(source, work, log)
            finished = work / "finished"
            finished.mkdir()
            shutil.copy2(built, finished / "fluent-bit")
            shutil.copy2(source / "LICENSE", finished / "LICENSE")
            shutil.rmtree(self.home, ignore_errors=True)
            finished.rename(self.home)


def missing_packages() -> list[str]:
    """The Debian packages that the build needs and this machine seems to lack."""
    return [
        package
        for package, proof in _NEEDS.items()
        if not (Path(proof).exists() if proof.startswith("/") else shutil.which(proof))
    ]


def _install_needs(on_step: Callable[[str], None], *, log: Path) -> None:
    missing = missing_packages()
    if not missing:
        return
    if not making.may_install():
        command = making.installing(missing)
        raise BuildError(f"building it needs {', '.join(missing)}. Install them, on Debian or Ubuntu: sudo {command}")
    on_step(f"installing {', '.join(missing)}")
    making.install(missing, log=log, seconds=_BUILD_SECONDS)


def _download(work: Path) -> Path:
    npm: list[str | Path] = [node_directory() / "node", node_directory().parent / "lib/node_modules/npm/bin/npm-cli.js"]
    making.run(
        [*npm, "pack", PACKAGE, "--ignore-scripts", "--loglevel=error", "--pack-destination", work],
        log=work / "download.log",
        environment=os.environ,
        directory=work,
        seconds=_DOWNLOAD_SECONDS,
    )
    archive = work / "fluent-bit-0.0.3.tgz"
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise BuildError(f"{PACKAGE} is not what it was: sha512 {digest}, expected {INTEGRITY}")
    with tarfile.open(archive) as packed:
        packed.extractall(work, filter="data")
    return work / _SOURCE


def _adapt(source: Path) -> None:
    onigmo = source / "lib" / "onigmo"
    onigmo.mkdir()
    for name, content in _ONIGMO.items():
        (onigmo / name).write_text(content)
    (onigmo / "configure").chmod(0o755)
    for name, client in _CLIENTS.items():
        plugin = source / "plugins" / name
        plugin.write_text(_changed(plugin.read_text(), client))


def _compile(source: Path, work: Path, log: Path) -> Path:
    build = work / "build"
    build.mkdir()
    jobs = str(os.cpu_count() or 2)
    steps: list[list[str | Path]] = [["cmake", source, *_CMAKE], ["make", "-j", jobs, "fluent-bit-bin"]]
    for one in steps:
        making.run(one, log=log, environment=os.environ, directory=build, seconds=_BUILD_SECONDS)
    return build / "bin" / "fluent-bit"


def _changed(plugin: str, client: str) -> str:
    for before, after in ((f"{client}443;", f"{client}{_PORT};"), (f"443{_UPSTREAM}", f"{_PORT}{_UPSTREAM}")):
        if plugin.count(before) != 1:
            raise BuildError(f"{PACKAGE}'s plugin is not the known one: not once `{before}`")
        plugin = plugin.replace(before, after)
    return plugin
