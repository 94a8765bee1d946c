"""Chromium for tests/browser, from the system: python -m browser.install

Installs it only where there is none, by apt and as root; elsewhere says what is to be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The browser's program: what CHROMIUM names, or the system's; None where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def main() -> str | None:
    """Installs it where it is missing; what is wrong comes back, in one line."""
    if chromium() is not None:
        return None
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "no Chromium on this machine: install your system's package, or name one: CHROMIUM=/path/to/chromium"
    for words in (("update",), ("install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core")):
        done = subprocess.run(["apt-get", "-q", *words], capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "silently").splitlines()[-1]
            return f"apt-get {words[0]} ended with {done.returncode}: {said}; install Chromium yourself"
    return None


if __name__ == "__main__":
    sys.exit(main())
