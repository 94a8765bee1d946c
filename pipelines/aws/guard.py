"""The two guards before every answer of a JSON service, and the re-issue of what they refuse.

botocore takes a body that broke off, and a proxy's page, for an empty answer with status 200, and retries neither.
tests/pipelines/test_guard.py cuts, replaces and empties answers through the real client."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from pipelines.aws.session import explained
from pipelines.errors import AwsError, DataError

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "cancel_export_task": (),
    "create_export_task": ("taskId",),
    "describe_cluster": ("cluster",),
    "describe_export_tasks": ("exportTasks",),
    "describe_log_groups": ("logGroups",),
    "filter_log_events": ("events",),
}
"""Operation -> keys that a whole answer holds; another operation cannot be called."""

_REISSUES = 3
_FIRST_PAUSE_S = 0.2
_JSON = ("application/x-amz-json-1.1", "application/json")
_THROTTLES = frozenset(
    {"RequestLimitExceeded", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
_NEVER_ARRIVED = (
    botocore_errors.EndpointConnectionError,
    botocore_errors.ConnectTimeoutError,
    botocore_errors.ProxyConnectionError,
)
_NETWORK = (
    botocore_errors.HTTPClientError,
    botocore_errors.ConnectionError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.MetadataRetrievalError,
)

_UNREADABLE = (ResponseParserError, AttributeError, TypeError, ValueError, RecursionError)
"""What botocore's parser raises at JSON of another shape: a list for an object, a text for a list."""


class Guarded:
    """A client of CloudWatch Logs or EKS whose answers are whole or an error."""

    def __init__(self, client: Any, *, pause: Callable[[float], None] = time.sleep) -> None:
        """
        Args:
            pause: waits that many seconds before a call is issued again.
        """
        self.answered = False
        """Has an answer to any call come, whole or not?"""
        self._client = client
        self._pause = pause
        client.meta.events.register("after-call", _check_transport, unique_id="auditforest-guard")

    @property
    def region(self) -> str:
        """Where the client's service lies."""
        return str(self._client.meta.region_name)

    def call(self, operation: str, where: str, *, idempotent: bool = True, **arguments: Any) -> dict[str, Any]:
        """The whole answer of one call; one that is not whole is asked for again.

        Args:
            operation: the client's method, one of REQUIRED.
            where: what is asked, as a person would name it.
            idempotent: may it run twice? If not, give a client of one attempt: botocore repeats calls, too.
        Raises:
            ConfigError: there are no usable credentials or settings.
            DataError: no answer was whole.
            AwsError: the service did not answer, or refused; or the call cannot be repeated and its fate is unknown.
        """
        found = ""
        with explained(where, self._mends(operation)):
            for index in range(1 + _REISSUES if idempotent else 1):
                if index:
                    self._pause(_FIRST_PAUSE_S * 2 ** (index - 1))
                try:
                    answer = self._whole(operation, arguments)
                except _TornError as error:
                    self.answered = True
                    found = str(error)
                except (ClientError, BotoCoreError) as error:
                    self.answered = self.answered or isinstance(error, ClientError)
                    if idempotent or not _may_have_run(error):
                        raise
                    found = " ".join(str(error).split()).rstrip(".")
                else:
                    self.answered = True
                    return answer
        name = self._action(operation)
        if not idempotent:
            raise AwsError(
                f"{where}: {name} was sent, but whether it ran is unknown ({found}); look in the AWS console for what "
                "it made, then run again"
            )
        raise DataError(
            f"{where}: {name} was asked {1 + _REISSUES} times and no answer was whole ({found}); look for a proxy on "
            "the way"
        )

    def _whole(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        required, ask = REQUIRED[operation], getattr(self._client, operation)
        try:
            answer: dict[str, Any] = ask(**arguments)
        except _UNREADABLE as error:
            raise _TornError("an answer of another shape") from error
        missing = [key for key in required if key not in answer]
        if missing:
            raise _TornError(f"an answer without {', '.join(missing)}")
        return answer

    def _action(self, operation: str) -> str:
        return str(self._client.meta.method_to_api_mapping[operation])

    def _mends(self, operation: str) -> Mapping[str, str]:
        service = self._client.meta.service_model.service_name
        return {
            "AccessDeniedException": f"let the role {service}:{self._action(operation)}",
            "LimitExceededException": "wait for the other task to end, then run again",
            "ResourceNotFoundException": "check its name, the account and the region",
            "ServiceUnavailableException": "run again later",
            "UnrecognizedClientException": "check the access key and its account",
        }


def code_of(error: AwsError) -> str:
    """The service's own code of a refusal; "" when it did not answer."""
    cause = error.__cause__
    return str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""


def passes(error: AwsError) -> bool:
    """May the same call succeed a minute later? Throttling and outages pass; a missing right does not."""
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return code_of(error) in _THROTTLES or _status(cause) == 429 or _status(cause) >= 500
    return isinstance(cause, _NETWORK)


class _TornError(Exception):
    """The answer that came is not the service's."""


def _check_transport(http_response: Any, **_: Any) -> None:
    """Refuse an answer whose body is not as long as its head says, or is no JSON.

    Registered as botocore's after-call handler; it sees the refusals, too, whose code a cut would hide.
    """
    if http_response.status_code >= 500:
        return  # the status says enough, and a load balancer answers it with any body
    headers, body = http_response.headers, http_response.content
    promised = headers.get("Content-Length")
    if promised is not None and headers.get("Content-Encoding") is None and promised != str(len(body)):
        raise _TornError(f"{len(body)} bytes of a body of {promised}")
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    # moto calls its JSON text/html; what begins and ends like an object is taken for one, the keys are checked next
    if http_response.status_code < 300 and body and kind not in _JSON and not (body[:1] == b"{" and body[-1:] == b"}"):
        raise _TornError(f"a body of type {kind[:60] or 'unknown'!r}")


def _may_have_run(error: ClientError | BotoCoreError) -> bool:
    if isinstance(error, ClientError):
        return _status(error) >= 500
    return isinstance(error, _NETWORK) and not isinstance(error, _NEVER_ARRIVED)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
