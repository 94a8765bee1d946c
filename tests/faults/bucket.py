"""The emulator's bucket as a checker sees it: read past the proxy, every object of a prefix at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3

Objects = Mapping[str, bytes]
"""Bodies by key, the prefix taken off."""


class Bucket:
    """One bucket of the emulator. Objects with the same tag are fetched once: a sweep looks at the same bytes often."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.name = name
        self._known: dict[tuple[str, int], bytes] = {}
        self._s3: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        self._s3.create_bucket(Bucket=name)

    def close(self) -> None:
        """Give its connections back."""
        self._s3.close()

    def lay(self, prefix: str, objects: Objects) -> None:
        """Put objects under a prefix."""
        for key, body in objects.items():
            self._s3.put_object(Bucket=self.name, Key=f"{prefix}/{key}", Body=body)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Everything under a prefix."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"{prefix}/")
        return {
            entry["Key"].removeprefix(f"{prefix}/"): self._body(entry)
            for page in pages
            for entry in page.get("Contents", [])
        }

    def dangling(self, prefix: str) -> list[str]:
        """Multipart uploads nobody ended."""
        found = self._s3.list_multipart_uploads(Bucket=self.name, Prefix=f"{prefix}/")
        return [upload["Key"] for upload in found.get("Uploads", [])]

    def _body(self, entry: Mapping[str, Any]) -> bytes:
        tag = (entry["ETag"], entry["Size"])
        if tag not in self._known:
            self._known[tag] = self._s3.get_object(Bucket=self.name, Key=entry["Key"])["Body"].read()
        return self._known[tag]
