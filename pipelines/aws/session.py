"""One factory for every AWS client, with the role of another account where one is to be assumed; and botocore's
errors in our own words.

tests/pipelines/test_store.py drives both through S3, tests/pipelines/test_session.py the roles."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import exceptions as botocore_errors
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from pipelines.errors import AwsError, ConfigError

BROKEN = (HTTPError, ResponseParserError)
"""An error's own body that breaks off or is none: botocore lets these through."""

_RENEW = "renew the credentials, then run again"
_LATER = "run again later"
_SET_REGION = "set region under [aws] or [clusters.NAME] in auditforest.toml"
_IDENTITY = (
    "give this job a role (EKS Pod Identity, IRSA), a profile (AWS_PROFILE), or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY"
)
_FILES = (
    "mend ~/.aws/config and ~/.aws/credentials, or the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name"
)
_USAGE: Mapping[type[BotoCoreError], str] = {
    botocore_errors.NoCredentialsError: _IDENTITY,
    botocore_errors.PartialCredentialsError: _IDENTITY,
    botocore_errors.ProfileNotFound: f"correct AWS_PROFILE, or {_FILES}",
    botocore_errors.ConfigParseError: _FILES,
    botocore_errors.ConfigNotFound: _FILES,
    botocore_errors.InvalidConfigError: _FILES,
    botocore_errors.NoRegionError: f"{_SET_REGION}, or AWS_REGION",
}
"""What this machine's AWS settings lack, and what mends it."""
_REGION = f"{_SET_REGION} to the one the resource lies in"
_USAGE_CODES = ("NoSuchBucket", "InvalidBucketName")
"""Refusals that no retry mends: a name in the configuration is wrong."""
_MENDS = {
    "NoSuchBucket": "create the bucket, or correct its name",
    "InvalidBucketName": "correct the bucket's name",
    "AccessDenied": "let the role do this",
    "AccessDeniedException": "let the role do this",
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "InvalidToken": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidAccessKeyId": "check the access key and its account",
    "InvalidClientTokenId": "check the access key and its account",
    "SignatureDoesNotMatch": "check the secret key",
    "RequestTimeTooSkewed": "set this machine's clock",
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "SlowDown": _LATER,
    "Throttling": _LATER,
    "ThrottlingException": _LATER,
    "InternalError": _LATER,
    "ServiceUnavailable": _LATER,
}


@dataclass(frozen=True)
class Role:
    """A role to assume for a client's calls, and the external id that its trust policy asks for."""

    arn: str
    external_id: str | None = None
    session_name: str = "auditforest"


def client(
    service: str,
    *,
    region: str | None,
    endpoint_url: str | None = None,
    attempts: int = 8,
    role: Role | None = None,
    where: str | None = None,
) -> Any:
    """A client of one service, with deadlines and bounded retries.

    An endpoint set in the environment or in a profile is not heeded: this argument is the only way to another.

    Args:
        region: where the resource lies; None: in AWS_REGION, AWS_DEFAULT_REGION or the profile's, as for the AWS CLI.
        endpoint_url: another server, on this machine only; a role is assumed there, too.
        attempts: requests for one call, all in all; 8 bear about 50 s of throttling.
        role: assumed at the first call and again before its credentials expire, once for all clients.
        where: what the client is for, as a person would name it, for errors; None names the service.
    Raises:
        ConfigError: there is no region, there are no credentials, or the endpoint is on another machine.
    """
    if endpoint_url is not None:
        _check_loopback(endpoint_url)
    where = service if where is None else where
    with explained(where):
        try:
            if region is None:
                # boto3 itself heeds AWS_DEFAULT_REGION alone
                region = os.environ.get("AWS_REGION") or None
            session = boto3.session.Session(region_name=region)
            if not session.region_name:
                raise ConfigError(f"{where}: no region found; {_USAGE[botocore_errors.NoRegionError]}")
            if session.get_credentials() is None:
                raise botocore_errors.NoCredentialsError
            if role is not None:
                session = _in_role(_assumed(role, session.region_name, endpoint_url), session.region_name)
            create: Any = session.client
            return create(service, endpoint_url=endpoint_url, config=_config(endpoint_url, attempts))
        except ValueError as error:  # how botocore refuses a URL in its own settings
            raise ConfigError(f"{where}: {_line(error)}; mend the AWS settings of this environment") from error


def _config(endpoint_url: str | None, attempts: int) -> Config:
    settings: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": attempts},
        "connect_timeout": 5,
        "read_timeout": 60,
        "tcp_keepalive": True,
        "user_agent_appid": "auditforest",
        "ignore_configured_endpoint_urls": True,
    }
    if endpoint_url is not None:
        # A local server knows no bucket as a host name, and no proxy knows this machine's loopback
        settings |= {"s3": {"addressing_style": "path"}, "proxies": {}}
    return Config(**settings)


@cache
def _assumed(role: Role, region: str, endpoint_url: str | None) -> DeferredRefreshableCredentials:
    """Credentials of the role, fetched when first asked for: keys that are merely handed on die in mid-run."""

    def fetch() -> dict[str, str]:
        asked = {} if role.external_id is None else {"ExternalId": role.external_id}
        told = explained(f"sts: assume {role.arn}", {"AccessDenied": _refused_role(role)})
        with told, closing(client("sts", region=region, endpoint_url=endpoint_url)) as sts:
            answer = sts.assume_role(RoleArn=role.arn, RoleSessionName=role.session_name, **asked)
        given = answer.get("Credentials", {})
        if not {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"} <= given.keys():
            raise AwsError(f"sts: assume {role.arn}: an answer without credentials; look for a proxy on the way")
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    return DeferredRefreshableCredentials(fetch, "assume-role")


def _refused_role(role: Role) -> str:
    told = "no external id is set" if role.external_id is None else "the external id that is set"
    return (
        f"let this job's own role do sts:AssumeRole on it, and let its trust policy name this job's role and "
        f"ask for the external id under external_id of the cluster ({told})"
    )


class _Given(CredentialProvider):
    """Hands botocore credentials that are there already."""

    METHOD = "assume-role"

    def __init__(self, credentials: DeferredRefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> DeferredRefreshableCredentials:
        return self._credentials


def _in_role(credentials: DeferredRefreshableCredentials, region: str) -> boto3.session.Session:
    session = botocore.session.get_session()
    session.register_component("credential_provider", CredentialResolver([_Given(credentials)]))
    return boto3.session.Session(botocore_session=session, region_name=region)


@contextmanager
def explained(where: str, mends: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turns what botocore raises inside into one line that says where, what and what mends it.

    Args:
        where: what was asked, as a person would name it.
        mends: error code -> what mends it, for codes that mean more here than elsewhere.
    Raises:
        ConfigError: credentials or settings are missing or unusable, or there is no such bucket.
        AwsError: the service did not answer, or refused.
    """
    try:
        yield
    except ClientError as error:
        told = ConfigError if error.response["Error"].get("Code") in _USAGE_CODES else AwsError
        raise told(_refusal(where, error, {**_MENDS, **(mends or {})})) from error
    except tuple(_USAGE) as error:
        mend = next(mend for kind, mend in _USAGE.items() if isinstance(error, kind))
        raise ConfigError(f"{where}: {_line(error)}; {mend}") from error
    except botocore_errors.ParamValidationError:
        raise  # our own mistake: no retry and no setting mends it
    except (BotoCoreError, *BROKEN) as error:
        mend = "check the network, the region, the endpoint and the credentials of this machine, then run again"
        raise AwsError(f"{where}: {_line(error)}; {mend}") from error


def _refusal(where: str, error: ClientError, mends: Mapping[str, str]) -> str:
    answer = error.response["Error"]
    code = answer.get("Code", "")
    clock = ""
    if code == "RequestTimeTooSkewed":
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        clock = f" (the service's clock says {headers.get('date', 'nothing')})"
    mend = mends.get(code, "run again; if it stays, look the code up in the service's documentation")
    return f"{where}: {code}, {_line(answer.get('Message', 'no message'))}{clock}; {mend}"


def _line(text: object) -> str:
    return " ".join(str(text).split()).rstrip(".")


def _check_loopback(endpoint_url: str) -> None:
    try:
        parts = urlsplit(endpoint_url)
        host, plain = parts.hostname or "", parts.username is None and parts.scheme in ("http", "https")
    except ValueError:
        host, plain = "", False
    if not plain or not _is_loopback(host):
        # The host alone: a URL can hold a password
        raise ConfigError(
            f"endpoint: host {host!r} found; http(s):// and a loopback address (127.0.0.0/8, ::1, localhost) "
            f"expected: audit logs go to AWS or stay on this machine"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
