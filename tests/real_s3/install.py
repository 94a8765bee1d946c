"""Installs of the real servers below build/real-s3, made once: python -m real_s3.install [moto] [swift] [rgw]

Nothing of it needs root or touches the system."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / "build" / "real-s3"
TRIPLET = "x86_64-linux-gnu"
_LOCK = HERE / "swift.lock"
_PACKAGES = ("radosgw", "ceph-mon", "ceph-osd")


class InstallError(Exception):
    """A server that cannot be had on this machine, in one line."""


def swift() -> Path:
    """The virtual environment with the Swift of swift.lock."""
    return _once("swift", sha256(_LOCK.read_bytes()).hexdigest(), _install_swift)


def rgw() -> Path:
    """The root below which this distribution's Ceph packages are unpacked.

    Raises:
        InstallError: this machine has no apt-get, no such packages or another processor.
    """
    return _once("rgw", " ".join(_PACKAGES), _install_rgw)


def _once(name: str, version: str, make: Callable[[Path], None]) -> Path:
    folder, ready = ROOT / name, ROOT / f"{name}.ready"
    if not ready.exists() or ready.read_text() != version:
        ready.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        ready.write_text(version)
    return folder


def _install_swift(folder: Path) -> None:
    _run(sys.executable, "-m", "venv", folder)
    pip = (folder / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    _run(*pip, "--require-hashes", "-r", _LOCK)


def _install_rgw(folder: Path) -> None:
    missing = [program for program in ("apt-get", "dpkg") if shutil.which(program) is None]
    if missing:
        raise InstallError(f"no {missing[0]} on this machine, a Debian with x86_64 expected")
    if platform.machine() != "x86_64":
        raise InstallError(f"processor {platform.machine()} found, x86_64 expected")
    state = ROOT / "rgw-packages"
    shutil.rmtree(state, ignore_errors=True)
    for name in ("debs/partial", "lists/partial"):
        (state / name).mkdir(parents=True)
    # State of its own, so that neither root nor the system's lock is needed
    own = {"Dir::State::lists": state / "lists", "Dir::Cache": state, "Dir::Cache::archives": state / "debs"}
    settings = {"Debug::NoLocking": "1", "APT::Sandbox::User": "root", **own}
    apt = ("apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in settings.items()))
    _run(*apt, "update")
    _run(*apt, "install", "--no-install-recommends", "--download-only", *_PACKAGES)
    for package in sorted((state / "debs").glob("*.deb")):
        _run("dpkg", "-x", package, folder)
    shutil.rmtree(state)


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{words[0]} took more than {error.timeout:.0f} s") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise InstallError(f"{Path(words[0]).name} ended with {done.returncode}: {said[-1] if said else 'silently'}")


INSTALLS: dict[str, Callable[[], Path | None]] = {"moto": lambda: None, "swift": swift, "rgw": rgw}


def main(names: list[str]) -> str | None:
    """Installs these; what is wrong comes back, in one line."""
    known = " ".join(INSTALLS)
    if unknown := [name for name in names if name not in INSTALLS]:
        return f"S3_SERVERS: {unknown[0]!r} found; some of {known!r} expected"
    for name in names:
        started = time.monotonic()
        try:
            INSTALLS[name]()
        except (InstallError, OSError) as error:
            others = " ".join(other for other in names if other != name) or "moto"
            return f"{name}: {error}; leave it out: make test-s3 S3_SERVERS={others!r}"
        sys.stderr.write(f"{name}: installed ({time.monotonic() - started:.0f} s)\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
