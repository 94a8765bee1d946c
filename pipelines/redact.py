"""What of a request URI reaches the archive: the path, harmless parameters, the program of an exec.

Parameters are kept by an allow-list, so a secret under an unknown or escaped name does not pass."""

from __future__ import annotations

KEPT = (
    "limit", "watch", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector", "timeout",
    "timeoutSeconds", "allowWatchBookmarks", "container", "stdin", "stdout", "stderr", "tty", "follow",
    "tailLines", "sinceSeconds", "previous", "timestamps", "fieldManager", "dryRun", "force", "pretty",
    "propagationPolicy", "gracePeriodSeconds", "ports", "includeObject", "sendInitialEvents",
)  # fmt: skip
"""Parameters kept with their values."""

_URI = "e.requestURI"
_QUERY = f"string_split(substr({_URI}, instr({_URI}, '?') + 1), '&')"
# a second ? is a client's slip and ; once parted parameters: what follows either may be another one
_HARMLESS = f"(?:(?:{'|'.join(KEPT)})(?:=[^&?;]*)?)?"
_ONLY_HARMLESS = f"regexp_full_match({_URI}, '[^?]*\\?{_HARMLESS}(?:&{_HARMLESS})*')"

# The first command= is the program, the others are its arguments; of a shell line only the first word stays.
_FIRST = f"1 + len(list_filter({_QUERY}[1:i - 1], lambda q: q[:8] <> 'command='))"
_PARAMETER = (
    f"CASE WHEN regexp_full_match(p, '{_HARMLESS}') THEN p "
    f"WHEN p[:8] = 'command=' AND i = {_FIRST} "
    # kubectl escapes the slashes of a path
    "THEN regexp_extract(p, '^command=(?:[A-Za-z0-9._/-]|%2[Ff]){0,128}') "
    "WHEN p[:8] = 'command=' THEN 'command=REDACTED' "
    "ELSE 'REDACTED' END"
)

REDACTED_URI = (
    # most requests have nothing to hide, and one pattern is ten times cheaper than taking the query apart
    f"CASE WHEN NOT contains({_URI}, '?') OR {_ONLY_HARMLESS} THEN {_URI} ELSE left({_URI}, instr({_URI}, '?')) || "
    f"array_to_string(list_transform({_QUERY}, lambda p, i: {_PARAMETER}), '&') END"
)
"""SQL over the event struct `e`: its URI without secrets; null stays null."""
