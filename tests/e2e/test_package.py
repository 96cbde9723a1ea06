"""The zip that is deployed runs the whole thing by itself: nothing comes from the repository or the environment.

The functions' processes find the standard library, what the zip holds, and the few modules that the local functions
host needs besides (on the platform the host is no Python). Python's own report of its imports (`-v`) is the proof.
"""

import os
import re
import shlex
import shutil
import sys
import sysconfig
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from local.cloud import Cloud, environment, running
from local.component import REPOSITORY
from local.observer import Look, Observer, observing
from local.requests_file import Outgoing
from scripts import package
from shared.models import Status

# What the local functions host needs and the app does not.
HOST_MODULES = ("croniter", "dateutil", "azure/servicebus")
# One of each pinned requirement, and of the app.
IMPORTED = (
    *("azure/data/tables", "azure/functions", "azure/identity", "azure/keyvault/secrets"),
    *("azure_functions_runtime_v1", "msal", "requests"),
)
_REPORTED = re.compile(r"(?:code object from|matches|loaded from) '?(/[^\n']+\.(?:py|so))'?$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """`source`: what the zip was made of. `app`: where it was unpacked."""

    source: Path
    archive: Path
    app: Path

    @property
    def site_packages(self) -> Path:
        return self.app / package.SITE_PACKAGES


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("package")
    made = Package(folder / "source", folder / "app.zip", folder / "app")
    for file in package.app_files(REPOSITORY):
        (made.source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, made.source / file)
    package.install(made.source / "requirements.txt", made.source / package.SITE_PACKAGES)
    package.write(made.archive, made.source)
    with zipfile.ZipFile(made.archive) as content:
        content.extractall(made.app)
    return made


@pytest.fixture
def platform_python(built: Package, tmp_path: Path) -> Path:
    """A Python without site-packages; instead it has those of the zip, then the app, then the host's modules."""
    host_modules = tmp_path / "host"
    (host_modules / "azure").mkdir(parents=True)
    (host_modules / "local").symlink_to(REPOSITORY / "local")
    for name in HOST_MODULES:
        (host_modules / name).symlink_to(Path(sysconfig.get_path("purelib"), name))
    path = os.pathsep.join(str(folder) for folder in (built.site_packages, built.app, host_modules))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(path)} exec {shlex.quote(sys.executable)} -S -v "$@"\n')
    python.chmod(0o755)
    return python


@pytest.fixture
def cloud(built: Package, platform_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with running(Cloud(tmp_path / "cloud", app=built.app)) as started, environment(started.client_environment):
        monkeypatch.setattr(sys, "executable", str(platform_python))
        started.start_functions({"CreateUpgrade": 1, "PollUpgrade": 1})
        yield started


def _wait_for(observer: Observer, holds: Callable[[Look], bool]) -> Look:
    ends = time.monotonic() + 40
    while not holds(look := observer.look()):
        assert time.monotonic() < ends, look
        time.sleep(0.1)
    return look


def _imported(cloud: Cloud, function: str) -> set[Path]:
    """The files that its process has loaded."""
    (log,) = (cloud.folder / "logs").glob(f"{function}-*.log")
    return {Path(found) for found in _REPORTED.findall(log.read_text())}


@pytest.mark.skipif(
    sysconfig.get_platform() != "linux-x86_64", reason="the compiled modules of the zip are those of Linux on x86-64"
)
@pytest.mark.timeout(180)
def test_a_request_goes_through_the_zip_alone(cloud: Cloud, built: Package, tmp_path: Path) -> None:
    body = f'{{"customerId": "{uuid.uuid4()}", "productFamily": "Azure"}}'
    with observing(cloud) as observer:
        observer.send([Outgoing(body.encode(), "r1")])
        look = _wait_for(observer, lambda look: bool(look.results or look.dead))
    assert [result.status for result in look.results] == [Status.COMPLETED]
    allowed = (built.app, tmp_path / "host", Path(sysconfig.get_path("stdlib")))
    for function in ("CreateUpgrade", "PollUpgrade"):
        files = _imported(cloud, function)
        assert not [file for file in files if not any(folder in file.parents for folder in allowed)]
        needed = {built.site_packages / name / "__init__.py" for name in IMPORTED}
        assert needed | {built.app / "shared" / "wiring.py", built.app / function / "__init__.py"} <= files


def test_the_zip_holds_the_app_and_its_dependencies_and_nothing_else(built: Package) -> None:
    with zipfile.ZipFile(built.archive) as content:
        names = content.namelist()
        assert {entry.external_attr >> 16 for entry in content.infolist()} == {0o644}
    own = {name for name in names if not name.startswith(f"{package.SITE_PACKAGES.as_posix()}/")}
    assert own == {file.as_posix() for file in package.app_files(REPOSITORY)}


def test_no_dependency_hides_a_module_of_ours(built: Package) -> None:
    theirs = {path.name.partition(".")[0] for path in built.site_packages.iterdir()}
    assert not theirs & {path.name for path in REPOSITORY.iterdir() if path.is_dir()}


def test_what_is_compiled_is_for_the_platforms_python(built: Package) -> None:
    libraries = [path.name for path in built.site_packages.rglob("*.so")]
    assert libraries
    assert not [name for name in libraries if not name.endswith((".cpython-313-x86_64-linux-gnu.so", ".abi3.so"))]


def test_every_installed_file_is_as_its_package_says(built: Package) -> None:
    for record in built.site_packages.glob("*.dist-info/RECORD"):
        for line in record.read_text().splitlines():
            assert (built.site_packages / line.partition(",")[0]).is_file(), f"{record.parent.name}: {line}"


def test_the_same_files_make_the_same_bytes(built: Package, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    for path in built.source.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)
    package.write(again, built.source)
    assert again.read_bytes() == built.archive.read_bytes()


def test_the_dependencies_come_with_bytecode_that_needs_no_look_at_their_sources(built: Package) -> None:
    sources = [path for path in built.site_packages.rglob("*.py") if "{" not in path.name]
    assert sources
    for source in sources:
        bytecode = Path(cache_from_source(str(source))).read_bytes()
        assert bytecode[4:8] == b"\x01\0\0\0", f"{source}: not an unchecked hash (PEP 552)"
        assert str(built.source).encode() not in bytecode, f"{source}: names a folder of this machine"
