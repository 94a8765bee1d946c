"""The emulator's bucket as a checker sees it: in the moto of this process, past the proxy and past HTTP."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

_REGION = "us-east-1"

Objects = Mapping[str, bytes]
"""Bodies by key, the prefix taken off."""


class Bucket:
    """One bucket of the emulator, new."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._s3: Any = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        self._bucket: Any = self._s3.create_bucket(name, _REGION)

    def lay(self, prefix: str, objects: Objects) -> None:
        """Put objects under a prefix, with the checksum that an upload leaves beside them."""
        for key, body in objects.items():
            checksum = b64encode(sha256(body).digest()).decode()
            laid = self._s3.put_object(self.name, f"{prefix}/{key}", body, checksum_value=checksum)
            laid.checksum_algorithm = "SHA256"

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Everything under a prefix."""
        return {name.removeprefix(f"{prefix}/"): key.value for name, key in self._under(prefix)}

    def dangling(self, prefix: str) -> list[str]:
        """Multipart uploads nobody ended."""
        under_way = [str(upload.key_name) for upload in self._bucket.multiparts.values()]
        return [name for name in under_way if name.startswith(f"{prefix}/")]

    def forget(self, prefix: str) -> None:
        """Take everything under a prefix away: a sweep of a thousand archives need not hold them all."""
        for name, _ in list(self._under(prefix)):
            self._bucket.keys.pop(name)

    def _under(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return ((name, key) for name, key in self._bucket.keys.items() if name.startswith(f"{prefix}/"))
