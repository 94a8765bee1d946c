"""Who is at work, as far as this machine knows without asking anybody."""

from __future__ import annotations

import getpass
from collections.abc import Mapping


def os_user() -> str | None:
    """The user of this process; None where the machine has no name for it."""
    try:
        return _text(getpass.getuser())
    except (KeyError, OSError):
        return None


def aws_identity(environment: Mapping[str, str]) -> str | None:
    """The access key id, profile or role that the environment names, in boto3's order; none of them is a secret."""

    def given(name: str) -> str:
        return _text(environment.get(name, ""))

    if key := given("AWS_ACCESS_KEY_ID"):
        return f"access key {key}"
    profile = given("AWS_DEFAULT_PROFILE") or given("AWS_PROFILE")
    # boto3 heeds the role only beside the token that proves it
    role = given("AWS_ROLE_ARN") if given("AWS_WEB_IDENTITY_TOKEN_FILE") else ""
    # of both the profile counts where it assumes a role, which stands in files that are not read here
    named = (f"{word} {name}" for word, name in (("profile", profile), ("role", role)) if name)
    return " or ".join(named) or None


def _text(given: str) -> str:
    r"""The same, each byte that is no UTF-8 as `\xff`: the system's names are bytes, a mark holds text."""
    return given.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
