"""The events table: one row per audit line, every column declared once with the SQL that reads it.

`e` is the event as a typed struct (EVENT); the rest of a row is measured on its bytes.
tests/pipelines/test_parse.py holds the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from pipelines.parquet import DIFFERS
from pipelines.parsing.body_facts import FACTS
from pipelines.parsing.caps import LONG, NAME, capped, capped_list
from pipelines.parsing.redact import REDACTED_URI
from pipelines.parsing.tokens import masked

EVENT = """{
 "auditID": "VARCHAR", "level": "VARCHAR", "stage": "VARCHAR", "verb": "VARCHAR",
 "requestURI": "VARCHAR", "userAgent": "VARCHAR", "sourceIPs": ["VARCHAR"],
 "user": {"username": "VARCHAR", "uid": "VARCHAR", "groups": ["VARCHAR"], "extra": {
   "canonicalArn": ["VARCHAR"], "sessionName": ["VARCHAR"], "accessKeyId": ["VARCHAR"],
   "authentication.kubernetes.io/pod-name": ["VARCHAR"],
   "authentication.kubernetes.io_slash_pod-name": ["VARCHAR"],
   "authentication.kubernetes.io/credential-id": ["VARCHAR"],
   "authentication.kubernetes.io_slash_credential-id": ["VARCHAR"]}},
 "impersonatedUser": {"username": "VARCHAR"},
 "objectRef": {"resource": "VARCHAR", "namespace": "VARCHAR", "name": "VARCHAR", "apiGroup": "VARCHAR",
   "subresource": "VARCHAR"},
 "responseStatus": {"code": "VARCHAR", "reason": "VARCHAR"},
 "stageTimestamp": "VARCHAR", "requestReceivedTimestamp": "VARCHAR", "timestamp": "VARCHAR",
 "metadata": {"creationTimestamp": "VARCHAR"},
 "requestObject": "JSON",
 "annotations": {"authorization.k8s.io/decision": "VARCHAR", "authorization.k8s.io/reason": "VARCHAR",
   "audit.k8s.io/truncated": "VARCHAR"}
}"""
"""Types of the fields read. A field of another type becomes null, or its JSON where text is read; the row stays."""

# as Go quotes: a backslash before a quote, or another backslash
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
AUTHORISED = (
    f"regexp_extract(reason, '^([A-Za-z ]+): allowed by (?:ClusterRoleBinding|RoleBinding) {_QUOTED} of "
    f"(?:ClusterRole|Role) {_QUOTED} to ([A-Za-z]+) {_QUOTED}', ['mode', 'binding', 'role', 'kind', 'subject'])"
)
"""SQL over `reason`: who allowed it, as a struct of texts that are empty where the reason says something else."""

CODE = (
    "try_cast(CASE WHEN regexp_full_match(e.responseStatus.code, '-?[0-9]+') THEN e.responseStatus.code END AS INTEGER)"
)
"""SQL of a response's code. The engine would round 403.6 to another answer, and read one out of `true`."""

DAY = "CAST(stage_ts AS DATE)"


def _time(field: str) -> str:
    # the guard keeps out 'infinity', 'epoch', the year 0 and years BC, which the cast would take
    guard = f"regexp_full_match({field}, '[12][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9][^(]*')"
    return f"CASE WHEN {guard} THEN try_cast({field} AS TIMESTAMPTZ) END"


def _first(field: str) -> str:
    return f"e.user.extra.{field}[1]"


def _of_token(field: str) -> str:
    # one vendor renames the key
    keys = (f'"authentication.kubernetes.io{slash}{field}"' for slash in ("/", "_slash_"))
    return f"coalesce({', '.join(map(_first, keys))})"


_CAPPED = {"VARCHAR": capped, "VARCHAR[]": capped_list}


@dataclass(frozen=True)
class EventColumn:
    """One column: its DuckDB type, what it means, and how it is read from an event."""

    name: str
    type: str
    meaning: str
    sql: str
    masked: bool = False
    """A client puts into it what it likes: credentials in it are masked (pipelines/parsing/tokens.py)."""
    late: bool = False
    """Read from `authorised`, what AUTHORISED makes of a reason, and not from the event."""
    differs: bool = False
    """Nearly every row has another value, so a dictionary would only take room."""
    most: int | None = NAME
    """Characters of a text, or of each of a list of them, that are archived; None where something else bounds it."""

    @property
    def cap(self) -> int | None:
        """`most` of a client's text, or of a list of them; None of what is no such text."""
        return self.most if self.type in _CAPPED and not self.late else None

    @property
    def whole(self) -> str:
        """SQL of the value, credentials masked, however long it is."""
        return masked(self.sql) if self.masked else self.sql

    @property
    def archived(self) -> str:
        """SQL of the value that is archived, over its whole value under the column's name."""
        return self.name if self.cap is None else _CAPPED[self.type](self.name, self.cap)


ARROW: Mapping[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
"""By the type of a column, how it is stored."""

_TEXT = "VARCHAR"
_STAMP = "TIMESTAMP WITH TIME ZONE"

COLUMNS: tuple[EventColumn, ...] = (
    EventColumn("audit_id", _TEXT, "Id of the request; a client may choose it.", "e.auditID", differs=True),
    EventColumn("stage", _TEXT, "Stage of the request this line reports.", "e.stage"),
    EventColumn(
        "stage_ts",
        _STAMP,
        "Time of the stage, UTC; decides the night.",
        # v1beta1 wrote 'timestamp', older lines carry only the object's creation time
        f"CASE WHEN e.stageTimestamp IS NOT NULL THEN {_time('e.stageTimestamp')} "
        f"ELSE coalesce({_time('e.timestamp')}, {_time('e.metadata.creationTimestamp')}, "
        # of a line cut off before its times, the envelope knows when it was logged
        "CASE WHEN cut THEN make_timestamptz(logged_ms * 1000) END) END",
        differs=True,
    ),
    EventColumn(
        "received_ts", _STAMP, "Time the request arrived, UTC.", _time("e.requestReceivedTimestamp"), differs=True
    ),
    EventColumn("level", _TEXT, "Audit level of the line.", "e.level"),
    EventColumn("verb", _TEXT, "API verb, or HTTP method in lower case for other URLs.", "e.verb"),
    EventColumn("username", _TEXT, "User name; null for a request without identity.", "nullif(e.user.username, '')"),
    EventColumn("uid", _TEXT, "Uid of the user.", "e.user.uid"),
    EventColumn("groups", "VARCHAR[]", "Groups of the user.", "e.user.groups"),
    EventColumn("iam_role_arn", _TEXT, "canonicalArn: the IAM role or user behind the name.", _first("canonicalArn")),
    EventColumn(
        "session_name",
        _TEXT,
        "Session name of the assumed role; its caller may choose it.",
        _first("sessionName"),
    ),
    EventColumn("access_key_id", _TEXT, "Id of the AWS access key used.", _first("accessKeyId")),
    EventColumn("pod_name", _TEXT, "Pod the token was made for.", _of_token("pod-name")),
    EventColumn(
        "credential_id",
        _TEXT,
        "Id of the token used.",
        _of_token("credential-id"),
    ),
    EventColumn("impersonated_user", _TEXT, "User the caller acted as.", "e.impersonatedUser.username"),
    EventColumn("source_ips", "VARCHAR[]", "Addresses, client first; all but the last can be forged.", "e.sourceIPs"),
    EventColumn("user_agent", _TEXT, "User agent; the client's choice.", "e.userAgent", masked=True),
    EventColumn("api_group", _TEXT, "API group; null for the core group.", "nullif(e.objectRef.apiGroup, '')"),
    *(
        EventColumn(name, _TEXT, meaning, f"nullif(e.objectRef.{name}, '')", masked=True)
        for name, meaning in (
            ("resource", "Resource; null for a URL that is none."),
            ("subresource", "Subresource, such as exec or log."),
            ("namespace", "Namespace; null where cluster-wide."),
            ("name", "Name of the object."),
        )
    ),
    EventColumn(
        "request_uri",
        _TEXT,
        "Path, up to the first word behind a proxy, and harmless parameters; other values are redacted.",
        REDACTED_URI,
        most=LONG,
    ),
    EventColumn("code", "INTEGER", "HTTP status; null before the response.", CODE),
    EventColumn("decision", _TEXT, "allow or forbid.", 'e.annotations."authorization.k8s.io/decision"'),
    EventColumn(
        "reason",
        _TEXT,
        "Why it was allowed, its first 4,096 characters.",
        'e.annotations."authorization.k8s.io/reason"',
        masked=True,
        most=LONG,
    ),
    EventColumn("authz_mode", _TEXT, "Authoriser that allowed it.", "nullif(authorised.mode, '')", late=True),
    EventColumn(
        "authz_binding",
        _TEXT,
        "Binding that allowed it (name/namespace).",
        "nullif(authorised.binding, '')",
        late=True,
    ),
    EventColumn("authz_role", _TEXT, "Role that allowed it.", "nullif(authorised.role, '')", late=True),
    EventColumn("authz_subject_kind", _TEXT, "Kind of the bound subject.", "nullif(authorised.kind, '')", late=True),
    EventColumn("authz_subject", _TEXT, "Name of the bound subject.", "nullif(authorised.subject, '')", late=True),
    EventColumn(
        "truncated",
        _TEXT,
        "'bodies' where the bodies were left out, by the API server or for more JSON values than are read; 'text' "
        "where the line itself was cut off; else null.",
        """CASE WHEN cut THEN 'text' WHEN e.annotations."audit.k8s.io/truncated" = 'true' THEN 'bodies' END""",
        most=None,
    ),
    *(EventColumn(f.name, f.type, f.meaning, f"facts.{f.name}", most=None) for f in FACTS),
    # both are read off the bytes themselves: ten times cheaper than in SQL
    EventColumn(
        "bytes",
        "INTEGER",
        "Length of the raw line, bytes; null where the source holds no raw line.",
        "CASE WHEN raw THEN line_bytes END",
    ),
    EventColumn(
        "content_hash", _TEXT, "First 128 bits of the raw line's SHA-256, hex.", "line_hash", differs=True, most=None
    ),
)

NAMES: tuple[str, ...] = tuple(c.name for c in COLUMNS)


def _field(column: EventColumn) -> pa.Field:
    values = {DIFFERS: "yes"} if column.differs else {}
    return pa.field(column.name, ARROW[column.type], metadata={"meaning": column.meaning} | values)


SCHEMA = pa.schema([_field(c) for c in COLUMNS])
"""Of the events table."""

IDENTITY: tuple[str, ...] = ("audit_id", "stage", "received_ts", "username", "verb", "request_uri")
"""Columns that say which event a line reports; equal in them and in content_hash is a duplicate."""

ORDER: tuple[str, ...] = ("username", "stage_ts", "audit_id", "stage", "content_hash")
"""A total order, or the bytes of a part would differ from run to run."""
