"""The crash sweep: a clean run counts its calls, then every way of failing is tried at every call.

After each fault the archive is checked, the job runs again without one, and the archive is checked once more."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from urllib.parse import unquote

from faults import checker
from faults.bucket import Bucket
from faults.checker import Expected, Result
from faults.modes import Kill, Mode
from faults.proxy import Call, Proxy, Rule

BUCKET = "swept-archives"
_PLACES = (
    ("probe", "/_probe-if-none-match"),
    ("record", "/runs/"),
    ("quarantine", "/quarantine/"),
    ("commit", "/_commit-"),
    ("part", "/part-"),
    ("report", "/reports/"),
    ("derived", "/(items|principal_days|ranking)/"),
)
_BEFORE_ANY_STAGE = "put probe"
_SOURCE = "get source"

Run = Callable[[str], Result]
"""Runs the job with the archive under a prefix."""


def kind(call: Call) -> str:
    """What a call does, in a few words: get commit, put part, FilterLogEvents."""
    method, path, *target = call.key.split(" ")
    if target:
        return target[0].rpartition(".")[2]
    for name, pattern in _PLACES:
        if path.startswith(f"/{BUCKET}/") and re.search(pattern, path):
            return f"{method.lower()} {name}"
    if path.startswith("/clusters/"):
        return "DescribeCluster"
    for table, name in (("quarantine", "quarantine"), ("marks", "marks"), ("ranking", "nights"), ("reports", "nights")):
        if "list-type=2" in path and table in path:
            return f"list {name}"
    return "list source" if "list-type=2" in path else f"{method.lower()} source"


@dataclass(frozen=True)
class Scene:
    """A job, what it finds and what a clean run makes of it: `calls` are the clean run's."""

    name: str
    run: Run
    forked: Run | None
    """The same job where it can be killed; None where it cannot."""
    expected: Expected
    calls: tuple[Call, ...] = ()
    keeps_records: bool = True
    """Does each run leave a record of itself?"""


@dataclass(frozen=True)
class Fault:
    """A mode at one call, counted from 0."""

    mode: Mode
    at: int


Faults = tuple[tuple[Fault, ...], ...]
"""Of one case: those of its first run, and of further runs before the clean one."""


@dataclass(frozen=True)
class Verdict:
    """How a case ended: the exit code of each run that met faults, the calls they met, and what was violated."""

    faults: Faults
    codes: tuple[int, ...]
    met: tuple[str, ...]
    violations: tuple[str, ...]
    mended: bool
    """Was the clean re-run made? False: one was made before on an archive of the same bytes."""

    def __str__(self) -> str:
        modes = " then ".join(" and ".join(f"{f.mode.name} at {f.at}" for f in run) for run in self.faults)
        return f"{modes} ({', '.join(self.met) or 'met nothing'}): " + "; ".join(self.violations)


@dataclass
class Sweep:
    """An emulator's bucket, the proxy before it, and the hand that kills."""

    bucket: Bucket
    proxy: Proxy
    kill: Kill
    _mended: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """What the clean re-run violated, by the scene and the bytes of the archive it was made on."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def made(self, run: Run, before: Mapping[str, bytes]) -> dict[str, bytes]:
        """What a clean run makes of what stands before it.

        Raises:
            AssertionError: it did not end with 0.
        """
        prefix = self._prefix(before)
        self.proxy.arm()
        result = run(prefix)
        assert result.code == 0, result.err
        made = checker.tables(self.bucket.objects(prefix))
        self.bucket.forget(prefix)
        return made

    def scene(self, scene: Scene) -> Scene:
        """The scene as its clean run shows it: what it makes, and by which calls.

        Raises:
            AssertionError: the clean run violates something by itself.
        """
        prefix = self._prefix(scene.expected.before)
        self.proxy.arm()
        result = scene.run(prefix)
        after = checker.tables(self.bucket.objects(prefix))
        shown = replace(scene, expected=replace(scene.expected, after=after), calls=tuple(self.proxy.log))
        wrong = [*checker.told(result, {0}), *self._seen(shown, prefix, [result])]
        assert not wrong, "\n".join(wrong)
        self.bucket.forget(prefix)
        return shown

    def judge(self, scene: Scene, faults: Faults) -> Verdict:
        """Run the job once for each group of faults, then once without any; check after each.

        The last run is a function of the archive's bytes, the records of runs apart, which no job reads: where an
        earlier case left the same bytes, its outcome stands for this one, too.
        """
        prefix = self._prefix(scene.expected.before)
        results: list[Result] = []
        met: list[str] = []
        wrong: list[str] = []
        for nth, group in enumerate(faults):
            rules = [Rule(f.mode.action(self.kill), skip=f.at, times=f.mode.times) for f in group]
            self.proxy.arm(*rules)
            kills = any(f.mode.kills for f in group)
            assert scene.forked is not None or not kills, f"{scene.name}: this job cannot be killed"
            results.append(scene.forked(prefix) if kills and scene.forked else scene.run(prefix))
            fired = [f.mode for f, rule in zip(group, rules, strict=True) if rule.fired]
            harmed = [call for call in self.proxy.log if call.action != "forward"]
            kinds = [kind(call) for call in harmed]
            met += kinds[:1]
            if nth == 0 and not fired:
                wrong.append(f"the fault met no call: {len(self.proxy.log)} calls, {len(scene.calls)} in a clean run")
            staged = _BEFORE_ANY_STAGE not in kinds
            wrong += checker.told(results[-1], _codes(fired, kinds), _places(prefix, harmed), staged=staged)
            wrong += self._seen(scene, prefix, results)
        left = scene.name, _digest(checker.tables(self.bucket.objects(prefix)))
        mended = left not in self._mended
        if mended:
            self._mended[left] = self._after_a_clean_run(scene, prefix)
        wrong += self._mended[left]
        self.bucket.forget(prefix)
        return Verdict(faults, tuple(r.code for r in results), tuple(met), tuple(wrong), mended)

    def _after_a_clean_run(self, scene: Scene, prefix: str) -> list[str]:
        self.proxy.arm()
        again = scene.run(prefix)
        found, dangling = self.bucket.objects(prefix), self.bucket.dangling(prefix)
        return [*checker.recovered(found, scene.expected, again, dangling)]

    def _seen(self, scene: Scene, prefix: str, results: Sequence[Result]) -> list[str]:
        objects = self.bucket.objects(prefix)
        return [
            *checker.committed_whole(objects),
            *checker.old_or_new(objects, scene.expected),
            *checker.done(objects, scene.expected, results[-1]),
            *(checker.recorded(objects, results) if scene.keeps_records else ()),
        ]

    def _prefix(self, before: Mapping[str, bytes]) -> str:
        prefix = f"case-{next(self._numbers)}"
        self.bucket.lay(prefix, before)
        return prefix


def _digest(objects: Mapping[str, bytes]) -> str:
    hashes = [f"{sha256(body).hexdigest()} {key}" for key, body in sorted(objects.items())]
    return sha256("\n".join(hashes).encode()).hexdigest()


def _codes(fired: Sequence[Mode], kinds: Sequence[str]) -> set[int]:
    """Exit codes a run may end in after these faults: one that cannot be borne decides."""
    decisive = [mode for mode in fired if 0 not in mode.codes]
    at_source = (mode.at_source for mode in fired if _SOURCE in kinds)
    return set().union(*(mode.codes for mode in decisive or fired), *at_source) or {0}


def _places(prefix: str, harmed: Sequence[Call]) -> list[str]:
    """Keys of the archive's objects that were harmed, as a complaint would name them; none if others were, too."""
    start = f"/{BUCKET}/{prefix}/"
    paths = [unquote(call.key.split(" ")[1].partition("?")[0]) for call in harmed]
    return [p.removeprefix(start) for p in paths] if all(p.startswith(start) for p in paths) else []


def indices(scene: Scene, mode: Mode) -> list[int]:
    """The calls of a scene at which a mode is a fault."""
    return [k for k, call in enumerate(scene.calls) if mode.fits(call)]
