"""What is uploaded to Lambda is complete, the same every time, and fetched once."""

import subprocess

import pytest

from sluice.model import Architecture, Transformer
from stacks import package
from stacks.package import PackageError

pytestmark = pytest.mark.synth


@pytest.fixture(scope="module")
def made():
    return package.package("transform", Transformer())


@pytest.fixture
def forbidden(monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)


@pytest.fixture
def fake_uv(monkeypatch, tmp_path):
    """Stands in for uv: notes its command and installs one file."""
    commands = []

    def run(command, **_options):
        commands.append(command)
        target = package.Path(command[command.index("--target") + 1])
        (target / "dependency.py").write_text("")
        (target / "bin").mkdir()
        (target / "dependency-1.dist-info").mkdir()
        (target / "dependency-1.dist-info" / "RECORD").write_text(str(tmp_path))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_package_holds_the_handler_and_its_dependencies(made):
    assert (made / "lambdas" / "transform" / "handler.py").is_file()
    assert (made / "aws_lambda_powertools" / "__init__.py").is_file()
    assert list((made / "orjson").glob("*.so"))


def test_dependencies_are_built_for_lambda_and_not_for_this_machine(made):
    [library] = (made / "orjson").glob("*.so")
    assert library.read_bytes()[18:20] == b"\xb7\x00"  # ELF's number of AArch64


def test_package_holds_neither_bytecode_nor_tests_nor_traces_of_the_installation(made):
    names = {file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file()}
    ours = {name for name in names if name.startswith("lambdas/")}
    assert all(name.endswith(".py") for name in ours)
    assert not any("test" in name for name in ours)
    assert not any(name.endswith((".pyc", "/RECORD", ".lock")) or name.startswith("bin/") for name in names)


def test_package_fits_lambda(made):
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 250 MB unzipped."""
    assert sum(file.stat().st_size for file in made.rglob("*")) < 250 * 1000 * 1000 / 5


@pytest.mark.usefixtures("forbidden")
def test_second_time_nothing_is_installed(made):
    assert package.package("transform", Transformer()) == made


def test_python_and_platform_are_part_of_the_key(fake_uv, tmp_path):
    one = package.package("transform", Transformer(python="3.13"), cache=tmp_path)
    two = package.package("transform", Transformer(python="3.12"), cache=tmp_path)
    three = package.package("transform", Transformer(python="3.12", architecture=Architecture.X86_64), cache=tmp_path)
    assert len({one, two, three}) == 3
    platforms = [command[command.index("--python-platform") + 1] for command in fake_uv]
    assert platforms == ["aarch64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-manylinux_2_28"]


def test_only_locked_wheels_are_installed(fake_uv, tmp_path):
    package.package("transform", Transformer(), cache=tmp_path)
    [command] = fake_uv
    assert "--require-hashes" in command
    assert command[command.index("--only-binary") + 1] == ":all:"


def test_changed_source_makes_another_package_without_another_installation(fake_uv, tmp_path, monkeypatch):
    sources = tmp_path / "root" / "lambdas"
    (sources / "transform").mkdir(parents=True)
    (sources / "transform" / "requirements.txt").write_text("")
    handler = sources / "transform" / "handler.py"
    monkeypatch.setattr(package, "ROOT", tmp_path / "root")
    monkeypatch.setattr(package, "SOURCES", sources)
    handler.write_text("one")
    one = package.package("transform", Transformer(), cache=tmp_path / "cache")
    handler.write_text("two")
    two = package.package("transform", Transformer(), cache=tmp_path / "cache")
    assert one != two
    assert (one / "lambdas" / "transform" / "handler.py").read_text() == "one"
    assert (two / "lambdas" / "transform" / "handler.py").read_text() == "two"
    assert len(fake_uv) == 1


def test_a_change_of_one_package_is_no_change_of_another(fake_uv, tmp_path, monkeypatch):
    sources = tmp_path / "root" / "lambdas"
    for name in ("transform", "search"):
        (sources / name).mkdir(parents=True)
        (sources / name / "handler.py").write_text("one")
        (sources / name / "requirements.txt").write_text(f"# of {name}")
    (sources / "__init__.py").write_text("")
    monkeypatch.setattr(package, "ROOT", tmp_path / "root")
    monkeypatch.setattr(package, "SOURCES", sources)

    def both():
        return [package.package(name, Transformer(), cache=tmp_path / "cache") for name in ("transform", "search")]

    transform, search = both()
    (sources / "search" / "handler.py").write_text("two")
    (sources / "search" / "requirements.txt").write_text("# changed")
    assert both()[0] == transform
    assert both()[1] != search
    ours = {file.relative_to(transform).as_posix() for file in (transform / "lambdas").rglob("*.py")}
    assert ours == {"lambdas/__init__.py", "lambdas/transform/handler.py"}
    installed = [command[command.index("--requirements") + 1] for command in fake_uv]
    assert [text.split("/")[-2] for text in installed] == ["transform", "search", "search"]


def test_failed_installation_leaves_nothing_and_says_what_uv_said(monkeypatch, tmp_path):
    def run(command, **_options):
        package.Path(command[command.index("--target") + 1], "half").write_text("")
        return subprocess.CompletedProcess(command, 1, "", "hash mismatch")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(PackageError, match="hash mismatch"):
        package.package("transform", Transformer(), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_asset_is_the_folder_and_nothing_more(made, dev):
    keys = {each["Properties"]["Code"]["S3Key"] for each in dev.resources("delivery", "AWS::Lambda::Function")}
    [key] = keys
    staged = dev.folder / f"asset.{key.removesuffix('.zip')}"
    listed = {file.relative_to(staged) for file in staged.rglob("*")}
    assert listed == {file.relative_to(made) for file in made.rglob("*")}
