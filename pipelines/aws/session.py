"""One factory for every AWS client, and botocore's errors in our own words.

tests/pipelines/test_store.py drives both through S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as botocore_errors
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipelines.errors import AwsError, ConfigError

_USAGE = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.ProfileNotFound,
    botocore_errors.ConfigParseError,
    botocore_errors.ConfigNotFound,
    botocore_errors.InvalidConfigError,
    botocore_errors.NoRegionError,
)
_RENEW = "renew the credentials, then run again"
_LATER = "run again later"
_REGION = "set the region the resource lies in"
_MENDS = {
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


def client(service: str, *, region: str | None, endpoint_url: str | None = None, attempts: int = 8) -> Any:
    """A client of one service, with deadlines and bounded retries.

    An endpoint set in the environment or in a profile is not heeded: this argument is the only way to another.

    Args:
        region: where the resource lies; None takes the one of the environment or the profile.
        endpoint_url: another server, on this machine only.
        attempts: requests for one call, all in all; 8 bear about 50 s of throttling.
    Raises:
        ConfigError: there is no region, there are no credentials, or the endpoint is on another machine.
    """
    if endpoint_url is not None:
        _check_loopback(endpoint_url)
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
    with explained(service):
        try:
            session = boto3.session.Session(region_name=region)
            if session.region_name is None:
                raise ConfigError(f"{service}: no region found; set it in the configuration or AWS_DEFAULT_REGION")
            if session.get_credentials() is None:
                raise botocore_errors.NoCredentialsError
            create: Any = session.client
            return create(service, endpoint_url=endpoint_url, config=Config(**settings))
        except ValueError as error:  # how botocore refuses a URL in its own settings
            raise ConfigError(f"{service}: {_line(error)}; mend the AWS settings of this environment") from error


@contextmanager
def explained(where: str, mends: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turns what botocore raises inside into one line that says where, what and what mends it.

    Args:
        where: what was asked, as a person would name it.
        mends: error code -> what mends it, for codes that mean more here than elsewhere.
    Raises:
        ConfigError: credentials or settings are missing or unusable.
        AwsError: the service did not answer, or refused.
    """
    try:
        yield
    except ClientError as error:
        raise AwsError(_refusal(where, error, {**_MENDS, **(mends or {})})) from error
    except _USAGE as error:
        raise ConfigError(
            f"{where}: {_line(error)}; give this job a role (EKS Pod Identity, IRSA) or a profile, and a region"
        ) from error
    except botocore_errors.ParamValidationError:
        raise  # our own mistake: no retry and no setting mends it
    except BotoCoreError as error:
        mend = "check the network, the endpoint and the credentials of this machine, then run again"
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
