"""A request body in SQL as the facts read it: one array of objects, whether it was an object or a JSON patch, and the
pods, containers and volumes of a workload's.

tests/pipelines/test_body_facts.py reads them wherever they may be nested."""

from __future__ import annotations

_SEGMENTS = "list_filter(string_split(json_extract_string(o, '$.path'), '/'), lambda s: s <> '')"
_NESTED = (
    f"list_reduce(list_prepend(json_extract(o, '$.value')::VARCHAR, list_reverse({_SEGMENTS})), lambda value, key: "
    "CASE WHEN regexp_full_match(key, '[0-9]+|-') THEN '[' || value || ']' "
    "ELSE '{' || to_json(key) || ':' || value || '}' END)"
)
BODY = (
    "CASE json_type(e.requestObject) WHEN 'OBJECT' THEN '[' || e.requestObject || ']' "
    "WHEN 'ARRAY' THEN '[' || array_to_string(list_transform(list_filter(json_extract(e.requestObject, '$[*]'), "
    # the deepest path a fact reads has ten segments; a long one takes quadratic time to nest
    f"lambda o: json_extract_string(o, '$.op') IN ('add', 'replace') AND len({_SEGMENTS}) <= 16 "
    f"AND json_extract(o, '$.value') IS NOT NULL), lambda o: {_NESTED}), ',') || ']' ELSE '[]' END"
)
"""SQL over the event struct `e`: its request body as an array of objects.

Each operation of a JSON patch is one of them, its value nested as its path says."""

# paths are spelled out: a search at any depth takes a label for a setting, and quadratic memory for a deep body
PODS = (
    "list_concat(json_extract(body, '$[*].spec'), json_extract(body, '$[*].spec.template.spec'), "
    "json_extract(body, '$[*].template.spec'), json_extract(body, '$[*].spec.jobTemplate.spec.template.spec'))"
)
CONTAINERS = (
    "flatten([list_concat(json_extract(p, '$.containers[*]'), json_extract(p, '$.initContainers[*]'), "
    "json_extract(p, '$.ephemeralContainers[*]')) for p in pods])"
)
VOLUMES = "flatten([json_extract(p, '$.volumes[*]') for p in pods])"
"""SQL: the specs of pods in `body`, wherever they are nested, and what each of `pods` holds."""
