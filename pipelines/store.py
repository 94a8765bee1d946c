"""Where an archive's bytes lie: ObjectStore, a folder behind it, and the choice between a folder and S3.

Imports boto3 only through pipelines.aws, and only for an s3:// archive. tests/pipelines/test_store.py puts the
same claims to both stores."""

from __future__ import annotations

import errno
import hashlib
import re
from io import BytesIO
from pathlib import Path
from typing import IO, Protocol

from pipelines.disk import disk, files_under, is_no_folder, new_file, refusal, same, written_beside
from pipelines.errors import ConfigError
from pipelines.keys import BUCKET_EXPECTED, check_key, check_prefix, is_account, is_bucket, is_key
from pipelines.words import quoted

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_EXPECTED = "a folder or s3://bucket/prefix"
_CHUNK = 1 << 20
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class ObjectStore(Protocol):
    """Bytes under keys. A key is a relative path with "/" between segments of letters, digits and ``._=-``;
    no segment begins with a dot, and no key is another key's folder. Every method raises ValueError for
    another key and AwsError when the store cannot be reached.
    """

    @property
    def url(self) -> str:
        """The archive as a person would name it."""

    def get(self, key: str) -> bytes | None:
        """The whole object, or None when there is none.

        Raises:
            DataError: the object arrives damaged each time it is asked for.
        """

    def put_new(self, key: str, body: bytes) -> bool:
        """Whether exactly these bytes now stand under the key, whoever wrote them; never changes an object.

        One of any number of simultaneous writers of different bytes gets True.
        """

    def put(self, key: str, body: bytes) -> None:
        """Replaces the object: a reader sees the old bytes or the new ones, never a mixture."""

    def list(self, prefix: str) -> list[str]:
        """The keys that begin with the prefix, sorted; files that are no objects of ours are left out.

        For people and for checks: what is committed is decided by get alone.
        """

    def upload(self, key: str, path: Path) -> bool:
        """Whether exactly the file's bytes now stand under the key, whoever wrote them; never changes an object.

        As put_new, of which one writer gets True, but in the same memory whatever the file's size.

        Raises:
            OSError: the file cannot be read.
        """

    def download(self, key: str, path: Path) -> str | None:
        """SHA-256 in hex of the object, which now stands whole in a new file; None, and no file, when there is none.

        In the same memory whatever the object's size; a call that raises leaves no file.

        Raises:
            DataError: the object arrives damaged each time it is asked for.
            OSError: there is such a file already, or it cannot be written.
        """

    def probe(self) -> None:
        """Asks whether the store can keep the promise of put_new; for one that is not known to.

        2 requests, more only where an answer is broken.

        Raises:
            ConfigError: it cannot: a write that must not replace anything replaced an object.
        """


class LocalStore:
    """An archive in a folder, which the first write creates."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def url(self) -> str:
        return str(self._root)

    def get(self, key: str) -> bytes | None:
        path = self._path(key)
        with disk(path):
            try:
                return path.read_bytes()
            except (FileNotFoundError, IsADirectoryError):
                return None

    def put_new(self, key: str, body: bytes) -> bool:
        return self._linked(self._path(key), BytesIO(body))

    def put(self, key: str, body: bytes) -> None:
        path = self._path(key)
        with disk(path), written_beside(path, BytesIO(body)) as temporary:
            temporary.replace(path)

    def list(self, prefix: str) -> list[str]:
        folder = self._root / check_prefix(prefix).rpartition("/")[0]
        keys = [path.relative_to(self._root).as_posix() for path in files_under(folder)]
        return sorted(key for key in keys if key.startswith(prefix) and is_key(key))

    def upload(self, key: str, path: Path) -> bool:
        target = self._path(key)
        with path.open("rb") as body:
            return self._linked(target, body)

    def download(self, key: str, path: Path) -> str | None:
        source = self._path(key)
        with disk(source):
            try:
                body = source.open("rb")
            except (FileNotFoundError, IsADirectoryError):
                return None
        with body, new_file(path) as out:
            hashed = hashlib.sha256()
            while chunk := body.read(_CHUNK):
                hashed.update(chunk)
                out.write(chunk)
        return hashed.hexdigest()

    def probe(self) -> None:
        """Asks nothing: a file system that cannot link refuses the first write."""

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _linked(self, path: Path, body: IO[bytes]) -> bool:
        with disk(path), written_beside(path, body) as temporary:
            try:
                path.hardlink_to(temporary)
            except FileExistsError:  # someone was first, or NFS did our link and lost the answer
                return same(path, temporary)
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                # Not mended by O_EXCL: it creates the name before the bytes, and a crash between the two
                # leaves a torn commit for ever. Rename would overwrite the commit of another writer.
                raise ConfigError(
                    f"{self.url}: its file system refuses hard links, by which a commit is made without a gap; "
                    f"name an archive on another file system (ext4, xfs, btrfs, apfs, nfs) or in S3"
                ) from error
            return True


def refuse_place(store: ObjectStore, archive: str, *, to_write: bool) -> None:
    """Complain of a folder that no retry will make an archive: a file stands there, or nobody can write in it.

    Args:
        archive: the store's name as the user gave it.
    Raises:
        ConfigError: it is such a folder.
    """
    if not isinstance(store, LocalStore):
        return
    folder = Path(store.url)
    other = is_no_folder(folder)
    found = None if other is None else f"{other} is no folder"
    if found is None and to_write:
        found = refusal(folder)
    if found is not None:
        raise ConfigError(f"--archive {archive}: {found}; {_EXPECTED} expected, writable for this user")


def open_store(
    archive: str,
    *,
    endpoint: str | None = None,
    region: str | None = None,
    expected_bucket_owner: str | None = None,
    kms_key: str | None = None,
) -> ObjectStore:
    """The store an archive's name stands for; nothing is read or created yet.

    Args:
        archive: s3://bucket/prefix, or a folder.
        endpoint: another server, on this machine only; without meaning for a folder.
        expected_bucket_owner: the account, 12 digits, that must own the bucket.
        kms_key: id, alias or ARN of the KMS key that encrypts what is written; None leaves it to the bucket.
    Raises:
        ConfigError: the name, the owner, the endpoint or the region cannot be used, or there are no credentials.
    """
    scheme = _SCHEME.match(archive)
    if scheme is None:
        if not archive.strip():
            raise ConfigError(f"--archive {quoted(archive)}: an empty name found; {_EXPECTED} expected")
        return LocalStore(Path(archive).expanduser())
    if not archive.startswith("s3://"):
        raise ConfigError(f"--archive {quoted(archive)}: a name in {scheme[1]}: found; {_EXPECTED} expected")
    bucket, prefix = _bucket_and_prefix(archive)
    if expected_bucket_owner is not None and not is_account(expected_bucket_owner):
        raise ConfigError(
            f"--archive {archive}: bucket owner {expected_bucket_owner!r} found; an account of 12 digits expected"
        )
    # Here and not above: a night in a folder never loads boto3
    from pipelines.aws import s3, session

    client = session.client("s3", region=region, endpoint_url=endpoint, where=f"--archive {archive}")
    return s3.S3Store(client, bucket, prefix, expected_bucket_owner, kms_key)


def _bucket_and_prefix(archive: str) -> tuple[str, str]:
    bucket, _, prefix = archive.removeprefix("s3://").partition("/")
    prefix = prefix.removesuffix("/")
    if not is_bucket(bucket):
        raise ConfigError(f"--archive {quoted(archive)}: bucket {bucket!r} found; {BUCKET_EXPECTED} expected")
    if prefix and not is_key(prefix):
        raise ConfigError(
            f"--archive {quoted(archive)}: prefix {prefix!r} found; segments of letters, digits and '._=-' that begin "
            "with no dot, joined by '/', expected"
        )
    return bucket, prefix
