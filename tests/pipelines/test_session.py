"""Roles of other accounts, and the identities a pod is given: whose keys sign a call, and when they are renewed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from loopback import serving

from pipelines.aws.session import Role, client, explained
from pipelines.errors import AwsError, ConfigError

_GIVEN = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>{key}-token</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
_REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>"""


@dataclass
class Account:
    """STS and S3 of an account; the keys it gives live so many minutes, the last number for ever."""

    minutes: list[int] = field(default_factory=lambda: [60])
    refused: bool = False
    empty: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)

    def assume(self, asked: dict[str, str]) -> tuple[int, str]:
        self.asked.append(asked)
        if self.refused:
            return 403, _REFUSED
        if self.empty:
            return 200, "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"
        minutes = self.minutes[min(len(self.asked), len(self.minutes)) - 1]
        until = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        return 200, _GIVEN.format(key=f"ASIA{len(self.asked)}", until=until)


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler, bytes], tuple[int, str]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            status, text = answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(status)
            self.send_header("ETag", '"0"')
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = respond  # noqa: N815 (the names http.server calls)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(Handler) as url:
        yield url


def signer(handler: BaseHTTPRequestHandler) -> str:
    """The access key that signed a request."""
    return handler.headers["Authorization"].partition("Credential=")[2].partition("/")[0]


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def endpoint(account: Account) -> Iterator[str]:
    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str]:
        if handler.command == "POST":
            asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            return account.assume(asked | {"signer": signer(handler)})
        account.signed.append(signer(handler))
        return 200, "body"

    with answering(answer) as made:
        yield made


@pytest.fixture
def connect(endpoint: str) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:

        def make(role: Role) -> Any:
            return stack.enter_context(closing(client("s3", region=None, endpoint_url=endpoint, role=role)))

        yield make


def some_role(external_id: str | None = "prod") -> Role:
    return Role(f"arn:aws:iam::123456789012:role/reader-{uuid4().hex}", external_id)


def get(s3: Any) -> None:
    with explained("s3"):
        s3.get_object(Bucket="bucket", Key="key")["Body"].read()


def test_calls_are_signed_with_the_keys_of_the_role(account: Account, connect: Any) -> None:
    role = some_role("acme:prod/1")
    get(connect(role))
    assert account.signed == ["ASIA1"]
    (asked,) = account.asked
    assert (asked["Action"], asked["RoleArn"], asked["ExternalId"]) == ("AssumeRole", role.arn, "acme:prod/1")
    assert (asked["RoleSessionName"], asked["signer"]) == ("auditforest", "testing")


def test_a_role_without_an_external_id_is_asked_for_without_one(account: Account, connect: Any) -> None:
    get(connect(some_role(None)))
    assert "ExternalId" not in account.asked[0]


def test_nothing_is_assumed_before_the_first_call(account: Account, connect: Any) -> None:
    connect(some_role())
    assert account.asked == []


def test_clients_of_one_role_share_its_keys(account: Account, connect: Any) -> None:
    role = some_role()
    for _ in range(3):
        get(connect(role))
    assert (len(account.asked), account.signed) == (1, ["ASIA1"] * 3)


def test_roles_do_not_share_keys(account: Account, connect: Any) -> None:
    for role in (some_role(), some_role()):
        get(connect(role))
    assert account.signed == ["ASIA1", "ASIA2"]


def test_keys_that_end_soon_are_renewed_in_mid_run(account: Account, connect: Any) -> None:
    account.minutes = [9, 60]
    s3 = connect(some_role())
    for _ in range(3):
        get(s3)
    # of the ten minutes that botocore wants left, nine are not enough
    assert account.signed == ["ASIA1", "ASIA2", "ASIA2"]


@pytest.mark.parametrize("external_id", [None, "hidden-id"])
def test_a_refused_role_is_named_with_the_option_of_the_external_id(
    external_id: str | None, account: Account, connect: Any
) -> None:
    account.refused, role = True, some_role(external_id)
    with pytest.raises(
        AwsError, match=f"^sts: assume {role.arn}: AccessDenied, .*; .*sts:AssumeRole.* external_id"
    ) as no:
        get(connect(role))
    no.match("no external id is set" if external_id is None else "the external id that is set")
    assert "hidden-id" not in str(no.value)


def test_an_answer_without_keys_is_an_error(account: Account, connect: Any) -> None:
    account.empty = True
    with pytest.raises(AwsError, match="an answer without credentials"):
        get(connect(some_role()))


def test_sts_itself_stands_by_the_role(moto: str) -> None:
    role = some_role()
    with closing(client("sts", region=None, endpoint_url=moto, role=role)) as sts:
        told = sts.get_caller_identity()
    assert told["Account"] == "123456789012"
    assert told["Arn"] == f"{role.arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/auditforest"


# What a pod is given


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    return monkeypatch


def test_a_pod_with_a_web_identity_calls_as_its_role(pod: pytest.MonkeyPatch, moto: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("header.payload.signature")
    pod.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/nightly")
    pod.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    pod.setenv("AWS_ROLE_SESSION_NAME", "pod-7")
    pod.setenv("AWS_ENDPOINT_URL_STS", moto)
    with closing(client("sts", region=None, endpoint_url=moto)) as sts:
        assert sts.get_caller_identity()["Arn"].endswith(":assumed-role/nightly/pod-7")


def test_a_pod_with_a_pod_identity_calls_with_the_keys_of_its_agent(
    pod: pytest.MonkeyPatch, account: Account, endpoint: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("the-pod")
    shown: list[str] = []

    def agent(handler: BaseHTTPRequestHandler, _: bytes) -> tuple[int, str]:
        shown.append(handler.headers["Authorization"])
        until = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
        given = {"AccessKeyId": "ASIAPOD", "SecretAccessKey": "secret", "Token": "token", "Expiration": until}
        return 200, json.dumps(given)

    with answering(agent) as address:
        pod.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/v1/credentials")
        pod.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
        with closing(client("s3", region=None, endpoint_url=endpoint)) as s3:
            get(s3)
        with closing(client("s3", region=None, endpoint_url=endpoint, role=some_role())) as s3:
            get(s3)
    assert set(shown) == {"the-pod"}
    assert account.signed == ["ASIAPOD", "ASIA1"]
    assert account.asked[0]["signer"] == "ASIAPOD"


def test_a_missing_region_is_named_with_its_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(
        ConfigError, match=r"^logs: no region found; set region under \[aws\] or \[clusters\.NAME\] in "
    ):
        client("logs", region=None)
    with pytest.raises(ConfigError, match=r"^--source cloudwatch of prod: no region found; "):
        client("logs", region=None, where="--source cloudwatch of prod")


@pytest.mark.parametrize(
    ("given", "set_", "expected"),
    [
        (None, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        ("ap-south-1", {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"}, "ap-south-1"),
    ],
    ids=["both", "alone", "empty", "our own option"],
)
def test_the_region_is_found_as_the_aws_cli_finds_it(
    given: str | None, set_: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for name, value in set_.items():
        monkeypatch.setenv(name, value)
    with closing(client("s3", region=given)) as made:
        assert made.meta.region_name == expected
