"""The Spark of spark.lock below build/real-spark, made once: python -m real_spark.install

Nothing of it needs root or touches the system or .venv. Java is the system's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / "build" / "real-spark"
PACKAGES = ROOT / "packages"
_LOCK = HERE / "spark.lock"


def main() -> str | None:
    """Installs it; what is wrong comes back, in one line."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "no java: Spark needs Java 17 or later; Debian: apt-get install openjdk-17-jre-headless"
    ready, version = ROOT / "ready", sha256(_LOCK.read_bytes()).hexdigest()
    if ready.exists() and ready.read_text() == version:
        return None
    started = time.monotonic()
    shutil.rmtree(ROOT, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    done = subprocess.run(
        # pyspark comes as a source archive without anything to compile
        [*pip, "--no-deps", "--no-build-isolation", "--require-hashes", "--target", PACKAGES, "-r", _LOCK],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"pip ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
    ready.write_text(version)
    sys.stderr.write(f"pyspark: installed ({time.monotonic() - started:.0f} s)\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
