"""What is uploaded to Lambda: a package of `lambdas`, or the canary, and what it needs, put together without Docker.

Each package has requirements of its own and is alone in what is uploaded, so that a change of one leaves the functions
of the others as they are.

Mechanism: uv installs the hash-locked wheels for Lambda's platform into `.cache/lambda/<key>`, where the key is
everything that decides what is installed; only the first synthesis reaches for the network. The sources are
copied beside them into a folder named after both. The CDK hashes that folder's content, so the asset changes
when a byte of it does and not otherwise. Cost: about 20 MB of cache for every set of requirements.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sluice.model import Architecture, Transformer

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "lambdas"
CACHE: Final = ROOT / ".cache" / "lambda"
# Lambda's Amazon Linux has glibc 2.34 since Python 3.12; wheels for 2.28 run on it.
PLATFORMS: Final = {
    Architecture.ARM64: "aarch64-manylinux_2_28",
    Architecture.X86_64: "x86_64-manylinux_2_28",
}
INSTALL_SECONDS: Final = 300


class PackageError(Exception):
    """The dependencies could not be installed; says what uv said."""


def package(name: str, transformer: Transformer, *, cache: Path = CACHE) -> Path:
    """The folder to upload, made if it is not there yet.

    Args:
        name: a package of `lambdas`, as "transform".
        transformer: for which Python and processor it is.
        cache: where the folder is made.

    Raises:
        PackageError: uv is missing, or cannot install the requirements as they are locked.
    """
    folder = SOURCES / name
    return assembled(
        [*SOURCES.glob("*.py"), *sorted(folder.rglob("*.py"))],
        requirements=folder / "requirements.txt",
        transformer=transformer,
        cache=cache,
    )


def assembled(sources: Sequence[Path], *, requirements: Path, transformer: Transformer, cache: Path = CACHE) -> Path:
    """These files of the project beside what they require, as a folder to upload. Raises PackageError."""
    platform = PLATFORMS[transformer.architecture]
    key = _digest(requirements.read_bytes(), platform.encode(), transformer.python.encode())
    dependencies = _made(
        cache / key, lambda at: _install(requirements, at, platform=platform, python=transformer.python)
    )
    content = _digest(*(part for file in sources for part in (str(file.relative_to(ROOT)).encode(), file.read_bytes())))

    def put_together(at: Path) -> None:
        shutil.copytree(dependencies, at, dirs_exist_ok=True)
        for file in sources:
            target = at / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    return _made(cache / f"{key}-{content}", put_together)


def gathered(files: Mapping[str, Path], *, cache: Path) -> Path:
    """Files in a folder of their own, by the names that they have there: a context for building an image.

    It is named after what is in it, made if it is not there yet, and holds nothing else.
    """
    content = _digest(*(part for name in sorted(files) for part in (name.encode(), files[name].read_bytes())))

    def put_together(at: Path) -> None:
        for name, file in files.items():
            target = at / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    return _made(cache / content, put_together)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, complete or not there: it is made under another name and then renamed."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as making:
        content = Path(making) / "content"
        content.mkdir()
        make(content)
        try:
            content.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another synthesis was faster
                raise
    return folder


def _install(requirements: Path, target: Path, *, platform: str, python: str) -> None:
    command = [
        *(_uv(), "pip", "install", "--quiet", "--target", str(target)),
        *("--python-version", python, "--python-platform", platform),
        *("--only-binary", ":all:", "--require-hashes", "--requirements", str(requirements)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)  # noqa: S603
    if done.returncode != 0:
        raise PackageError(f"{requirements} cannot be installed for {platform}, Python {python}:\n{done.stderr}")
    _forget_installation(target)


def _forget_installation(target: Path) -> None:
    """Drop what the installer wrote about itself: it differs from machine to machine, and Lambda needs none of it."""
    (target / ".lock").unlink(missing_ok=True)
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()


def _uv() -> str:
    """The uv of this environment: it is there whether or not the environment is activated."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise PackageError("uv is not installed: run `make setup`, or install it from https://docs.astral.sh/uv/")
    return found
