"""Server processes of a test: started, waited for with a deadline, and gone at the end, whatever happened."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

_DIRECTLY = build_opener(ProxyHandler({}))  # no proxy knows this machine's loopback


class StartError(Exception):
    """A server that did not come up; the end of its log says why."""


class Processes:
    """Processes that belong together, and the folder they live in."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[object]) -> None:
        """Begins a server, whose log is NAME.log."""
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(word) for word in command],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours alone, and its children die with it
            )

    def run(self, *command: object, timeout_s: float = 30) -> str:
        """What a command printed.

        Raises:
            StartError: it failed, or it took too long.
        """
        words = [str(word) for word in command]
        try:
            done = subprocess.run(
                words,
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StartError(f"{words[0]}: no end after {timeout_s:.0f} s") from error
        if done.returncode:
            raise StartError(f"{words[0]}: exit code {done.returncode}: {done.stderr[-400:].strip()}")
        return done.stdout

    def ended(self, name: str) -> bool:
        """Whether that server is gone by itself."""
        return self._running[name].poll() is not None

    def wait(self, name: str, ready: Callable[[], bool], deadline_s: float, pause_s: float = 0.1) -> None:
        """Returns when it is ready.

        Raises:
            StartError: it ended, or it is not ready in time.
        """
        until = time.monotonic() + deadline_s
        while not ready():
            if self.ended(name) or time.monotonic() > until:
                found = "ended" if self.ended(name) else f"not ready after {deadline_s:.0f} s"
                raise StartError(
                    f"{name}: {found}; its log ends: {self._log(name).read_text('utf-8', 'replace')[-600:]}"
                )
            time.sleep(pause_s)

    def kill(self) -> None:
        """Ends all of them at once; they keep nothing that anybody wants."""
        for process in self._running.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self._running.values():
            process.wait(10)
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@contextmanager
def processes(root: Path, environment: Mapping[str, str] | None = None) -> Iterator[Processes]:
    """An empty folder below the root and what is started in it; both are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=root))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        made = Processes(folder, environment or {})
        stack.callback(made.kill)
        yield made


def free_ports(count: int) -> list[int]:
    """Ports of loopback on which nobody listens now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [taken.getsockname()[1] for taken in sockets]


def answers(url: str) -> bool:
    """Whether a web server answers there, if only with a refusal."""
    try:
        with _DIRECTLY.open(url, timeout=5):
            return True
    except HTTPError as refusal:
        refusal.close()
        return refusal.code < 500
    except (URLError, OSError):
        return False
