"""What of a request URI reaches the archive: the path, harmless parameters, the program of an exec.

Parameters are kept by an allow-list, so a secret under an unknown or escaped name does not pass. What another server
is asked for through the API server is kept by its first word only. The patterns are those of RE2; Python reads them
alike. tests/pipelines/test_redact.py holds the truth."""

from __future__ import annotations

import re

from pipelines.parsing.tokens import MASK, without_tokens

KEPT = (
    "limit", "watch", "resourceVersion", "resourceVersionMatch", "timeout", "timeoutSeconds", "allowWatchBookmarks",
    "container", "stdin", "stdout", "stderr", "tty", "follow", "tailLines", "sinceSeconds", "previous", "timestamps",
    "fieldManager", "dryRun", "force", "pretty", "propagationPolicy", "gracePeriodSeconds", "ports", "includeObject",
    "sendInitialEvents",
)  # fmt: skip
"""Parameters kept with their values."""

LABELS, FIELDS = "labelSelector", "fieldSelector"
"""Parameters kept in part: the keys, and the values of SELECTED."""

SELECTED = ("metadata.name", "metadata.namespace", "spec.nodeName", "status.phase")
"""Fields that a selector may give a value."""

KEY = "(?:[A-Za-z0-9._/-]|%2[Ff])*"
COMMA = ",|%2[Cc]"
_NOT, _EQUALS = "(?:!|%21)?", "(?:=|%3[Dd])"
LABEL = f"{_NOT}{KEY}"
"""A requirement of a labelSelector without a value."""
FIELD = f"(?:{'|'.join(map(re.escape, SELECTED))}){_NOT}{_EQUALS}{{1,2}}(?:[A-Za-z0-9._:-]|%3[Aa])*"
"""A requirement of a fieldSelector that is kept."""

# a second ? is a client's slip and ; once parted parameters: what follows either may be another one
HARMLESS = (
    f"(?:(?:{'|'.join(KEPT)})(?:=[^&?;#]*)?"
    f"|{LABELS}(?:={LABEL}(?:(?:{COMMA}){LABEL})*)?|{FIELDS}(?:=(?:{FIELD}(?:(?:{COMMA}){FIELD})*)?)?)?"
)
"""A parameter that is kept as it is."""

ALL_HARMLESS = rf"[^?;#%]*(?:\?{HARMLESS}(?:&{HARMLESS})*)?"
"""A URI of such parameters only."""

# what follows a semicolon, or a query's sign that was escaped, is for the server behind to read
CUT = "(?s)(;|[?#]|%(?:25)*(?:3[BbFf]|23)).+"
_NAMED = "[^/]+/[^/]+/proxy"
PROXIED = f"/+(?:api|apis/[^/]+)/[^/]+/(?:proxy|{_NAMED}|namespaces/[^/]+/{_NAMED})"
"""The path of a request that the API server hands on to a pod, a service or a node, up to where the other's begins."""
KEPT_BEHIND = "(?:/[A-Za-z]{0,24}/?)?"
"""What is kept of the other's path: a word such as metrics, run or exec."""
CUT_BEHIND = f"(?s)^({PROXIED}(?:/|%2[Ff])(?:[A-Za-z]{{1,24}}/)?).*"

PROGRAM = "command=(?:[A-Za-z0-9._/-]|%2[Ff]){0,128}"
"""The first command=, as far as it is kept: of a shell line only the first word. kubectl escapes a path's slashes."""

BEFORE_VALUES = "(?:[^(%]|%[^2]|%2[^8])*"
"""Of a labelSelector what stands before the first list of values."""
FIELD_KEY = f"({KEY}){_NOT}{_EQUALS}"

_URI = "e.requestURI"
_QUERY = f"string_split(substr({_URI}, instr({_URI}, '?') + 1), '&')"
_FIRST = f"1 + len(list_filter({_QUERY}[1:i - 1], lambda q: q[:8] <> 'command='))"


def redacted_path(sql: str) -> str:
    """SQL of a path: without what follows a semicolon or a query's sign, and with the first word behind a proxy."""
    cut = f"regexp_replace({sql}, '{CUT}', '\\1{MASK}')"
    return (
        f"CASE WHEN NOT regexp_matches({cut}, '^{PROXIED}(?:/|%2[Ff])') "
        f"OR regexp_full_match({cut}, '{PROXIED}{KEPT_BEHIND}') THEN {cut} "
        f"ELSE regexp_replace({cut}, '{CUT_BEHIND}', '\\1{MASK}') END"
    )


def _selected(kept: str, key: str, requirements: str) -> str:
    """SQL of a selector `p`: of each requirement what fully matches `kept`, else its key."""
    return (
        f"array_to_string([CASE WHEN regexp_full_match(r, '{kept}') THEN r "
        f"ELSE regexp_extract(r, '^{key}', 1) || '={MASK}' END for r in "
        f"string_split_regex(regexp_extract(p, '^[^=]*=({requirements})', 1), '{COMMA}')], '%2C')"
    )


_IS_PROXIED = f"regexp_matches({_URI}, '^{PROXIED}(?:[/?;#%]|$)')"
_PARAMETER = (
    f"CASE WHEN p = '' THEN p WHEN {_IS_PROXIED} THEN '{MASK}' WHEN regexp_full_match(p, '{HARMLESS}') THEN p "
    f"WHEN p[:{len(LABELS) + 1}] = '{LABELS}=' THEN '{LABELS}=' || {_selected(LABEL, f'({KEY})', BEFORE_VALUES)} "
    f"WHEN p[:{len(FIELDS) + 1}] = '{FIELDS}=' THEN '{FIELDS}=' || {_selected(FIELD, FIELD_KEY, '(?s).*')} "
    f"WHEN p[:8] = 'command=' AND i = {_FIRST} THEN regexp_extract(p, '^{PROGRAM}') "
    f"WHEN p[:8] = 'command=' THEN 'command={MASK}' ELSE '{MASK}' END"
)

_PATH = redacted_path(f"string_split({_URI}, '?')[1]")
_REDACTED = (
    f"CASE WHEN NOT contains({_URI}, '?') THEN {_PATH} "
    f"ELSE {_PATH} || '?' || array_to_string(list_transform({_QUERY}, lambda p, i: {_PARAMETER}), '&') END"
)

REDACTED_URI = (
    # most requests have nothing to hide, and one pattern is ten times cheaper than taking the URI apart
    f"CASE WHEN NOT contains({_URI}, '/proxy') AND NOT contains({_URI}, 'eyJ') "
    f"AND regexp_full_match({_URI}, '{ALL_HARMLESS}') THEN {_URI} "
    f"ELSE {without_tokens(_REDACTED)} END"
)
"""SQL over the event struct `e`: its URI without secrets; null stays null."""
