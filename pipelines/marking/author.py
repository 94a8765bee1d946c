"""Who is at work, as far as this machine knows without asking anybody."""

from __future__ import annotations

import getpass
from collections.abc import Mapping

_IDENTITIES = (("AWS_ROLE_ARN", "role"), ("AWS_PROFILE", "profile"), ("AWS_ACCESS_KEY_ID", "access key"))


def os_user() -> str | None:
    """The user of this process; None where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def aws_identity(environment: Mapping[str, str]) -> str | None:
    """The role, profile or access key id that the environment names; none of them is a secret."""
    return next((f"{word} {environment[name]}" for name, word in _IDENTITIES if environment.get(name)), None)
