"""The least privilege that would have done: the permissions a principal used, as Roles and a ClusterRole in YAML.

What no rule can say exactly is left out and told in a comment: a star that a caller wrote into a name must not become
a wildcard. Text from the log is always quoted. Tested in tests/report/test_role.py."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import yaml

from pipelines.report.sentences import counted
from pipelines.report.shown import Shown, Used
from pipelines.report.shown_text import used_sentence
from pipelines.report.text import clip, shown_name, visible

_API = "rbac.authorization.k8s.io/v1"
# as Kubernetes names them: a verb, a group or a resource, a namespace
_VERB = re.compile("[a-z]{1,63}")
_DOTTED = re.compile("[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PATH = re.compile("/[A-Za-z0-9._~!$&'()+,;=:@%/-]{0,1000}")
_NAME = 200
_HASH = 12
"""Digits of it: the roles of one principal must not replace those of another that chose its name to that end."""
_COMMENTS = 500
"""Of permissions left out, so many are told."""


class _Quoted(str):
    """Text from the log: quoted, for `no`, `1e3` and `~` are no text to every reader of YAML."""


class _Dumper(yaml.SafeDumper):
    """Writes text from the log in quotes."""


_Dumper.add_representer(
    _Quoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')
)


def role_yaml(found: Shown) -> str:
    """YAML documents that `kubectl apply -f -` takes: a Role for each namespace, a ClusterRole for what has none.

    Before each rule stands in comments what it rests on; where nothing can be said there are only comments.
    """
    able = [one for one in found.used if _sayable(one)]
    nights = found.used_nights
    span = f"{nights[0]} to {nights[-1]}" if nights else "no night"
    head = [
        f"What {shown_name(found.row.principal, _NAME)} of {found.night.cluster} used with success, {span}",
        f"({counted(len(nights), 'nights')} with requests): {counted(len(able), 'permissions')}. What it needs more "
        "seldom is not among them.",
    ]
    left = [one for one in found.used if not _sayable(one)]
    head += [f"left out, {_why(one)}: {_told(one)}" for one in left[:_COMMENTS]]
    if len(left) > _COMMENTS:
        head.append(f"left out: {len(left) - _COMMENTS:,} more")
    return "".join([*map(_comment, head), *_documents(found, able)])


def _documents(found: Shown, able: Sequence[Used]) -> Iterator[str]:
    name = _named(found.row.principal)
    places: dict[str | None, list[Used]] = defaultdict(list)
    for one in able:
        places[one.namespace].append(one)
    for place in sorted(places, key=lambda place: (place is not None, place or "")):
        kind = "ClusterRole" if place is None else "Role"
        meta = {"name": name} if place is None else {"name": name, "namespace": _Quoted(place)}
        yield "---\n" + _dump({"apiVersion": _API, "kind": kind, "metadata": meta})
        yield "rules:\n"
        for rule, of in _rules(places[place]):
            yield from (_comment(_told(one)) for one in of)
            yield _dump([rule])


def _rules(used: Sequence[Used]) -> Iterator[tuple[dict[str, list[_Quoted]], list[Used]]]:
    """Rules, and what each rests on: resources of one group with the same verbs share a rule, so do paths."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    of: dict[tuple[str, str], list[Used]] = defaultdict(list)
    for one in used:
        key = ("url", one.path) if one.path is not None else (f"group {one.api_group}", _resource(one))
        verbs[key].add(one.verb)
        of[key].append(one)
    shared: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, thing), asked in sorted(verbs.items()):
        shared[group, tuple(sorted(asked))].append(thing)
    for (group, same), things in sorted(shared.items()):
        rests = [one for thing in things for one in of[group, thing]]
        quoted = [_Quoted(thing) for thing in things]
        rule = {"nonResourceURLs": quoted} if group == "url" else {
            "apiGroups": [_Quoted(group.removeprefix("group "))], "resources": quoted
        }  # fmt: skip
        yield rule | {"verbs": [_Quoted(verb) for verb in same]}, rests


def _resource(one: Used) -> str:
    return f"{one.resource}/{one.subresource}" if one.subresource else one.resource


def _sayable(one: Used) -> bool:
    """Can a rule say exactly this?"""
    if one.as_other or not _VERB.fullmatch(one.verb):
        return False
    if one.path is not None:
        return one.namespace is None and bool(_PATH.fullmatch(one.path))
    named = (one.resource, *filter(None, (one.api_group, one.subresource)))
    place = one.namespace is None or bool(_LABEL.fullmatch(one.namespace))
    return place and all(_DOTTED.fullmatch(name) for name in named)


def _why(one: Used) -> str:
    if one.as_other:
        return "for it was asked as somebody else, which takes the verb impersonate"
    return "for no rule can name it exactly"


def _told(one: Used) -> str:
    what = f"{clip(one.verb, _NAME)} {clip(one.what, _NAME)}"
    if one.path is None:
        what += " cluster-wide" if one.namespace is None else f" in {clip(one.namespace, _NAME)}"
    return f"{what}: {used_sentence(one)}"


def _comment(text: str) -> str:
    return f"# {visible(text)}\n"


def _dump(document: Any) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=100_000)
    return text


def _named(principal: str) -> str:
    """A name for the roles: the principal's as far as Kubernetes lets it, with a hash: others may read alike."""
    plain = re.sub("[^a-z0-9]+", "-", principal.lower()).strip("-")
    told = f"used-by-{plain}"[: 62 - _HASH].rstrip("-")
    return f"{told}-{sha256(principal.encode('utf-8', 'surrogatepass')).hexdigest()[:_HASH]}"
