"""Files in a bucket: put there whole, got from there whole, and errors are ours.

Who we are, and where a server is that is not Amazon's, is said by the AWS SDK's own variables and
files, and is nobody else's business: it is read by the SDK alone.

A server that was reached by this process before is waited for while it is away; one that was never
reached is an error at once.
"""

import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from mlops_assets.errors import (
    BucketError,
    BucketUnavailableError,
    ForeignBucketError,
    MlopsError,
)
from mlops_assets.home import BUCKET, DATABASE, bucket
from mlops_assets.runtime.atomic import replacing
from resources.bucket.answers import is_away, of_the_sdk, unless
from resources.bucket.store_of_facts import this_store

AWAY_SECONDS = 60.0
"""How long a process that has reached the server waits for its return."""
_PATIENCE = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "12"}
"""The same for libraries that ask by themselves: eleven pauses, together 75 s on average."""
_AT_ONCE = 8
"""Files that are on their way at one time."""
_MANY = 20
"""Files of which it is cheaper to list what is there, a thousand at once, than to ask for each."""
_AT_A_TIME = 1_000_000
"""Bytes of a file in memory."""
_reached: set[str] = set()
"""The buckets that have answered this process."""
_ours: set[str] = set()
"""What MLOPS_BUCKET said when its mark was found to be ours."""
_MARK = "store.txt"
"""Below MLOPS_BUCKET's address: whose all files there are, by `Store.said`."""
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Bucket:
    """What is kept below one address, `s3://NAME/PREFIX`; keys are below the prefix."""

    uri: str

    def address(self, key: str) -> str:
        """Where a file is, for people and for other programs."""
        return f"{self.uri}/{key}"

    def holds(self, key: str) -> bool:
        """Whether there is a file."""
        with reached(self.uri):
            return _patiently(lambda: _is_there(*self._place(key)))

    def upload(self, files: Mapping[str, Path]) -> None:
        """Put files there, by their keys, unless there are ones; all of them when it returns."""
        there = self.tags() if len(files) > _MANY else {}
        missing = [key for key in files if key not in there]
        with reached(self.uri, writes=True), ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda key: self._upload(key, files[key]), missing):
                pass

    def download(self, files: Mapping[str, Path], mode: int) -> None:
        """Fetch those files that are there in the places of these, each whole or not at all."""
        with reached(self.uri), ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda key: self._download(key, files[key], mode), files):
                pass

    def get(self, key: str, file: Path, known: str = "") -> str:
        """Write what is there into `file`, or nothing if it still has the tag that is known.

        Returns:
            Its tag, which changes with its content; empty where there is nothing.
        """

        def ask() -> str:
            name, path = self._place(key)
            asked = {"IfNoneMatch": known} if known else {}
            found = unless(lambda: _client().get_object(Bucket=name, Key=path, **asked), 304, 404)
            if isinstance(found, int):
                return known if found == 304 else ""
            with file.open("wb") as written:
                shutil.copyfileobj(found["Body"], written, _AT_A_TIME)
            made = found["LastModified"].timestamp()
            os.utime(file, (made, made))
            return found["ETag"]

        with reached(self.uri):
            return _patiently(ask)

    def put(self, key: str, file: Path, instead_of: str | None = None) -> str:
        """Put a file there, in the place of any, or only `instead_of` the one with this tag.

        Returns:
            Its tag; empty where there is another one by now, or none.
        """
        name, path = self._place(key)
        only = {} if instead_of is None else {"IfMatch": instead_of}
        only = {"IfNoneMatch": "*"} if instead_of == "" else only

        def ask() -> str:
            with file.open("rb") as content:
                done = unless(
                    lambda: _client().put_object(Bucket=name, Key=path, Body=content, **only),
                    *(404, 409, 412) if only else (),
                )
            return "" if isinstance(done, int) else done["ETag"]

        with reached(self.uri, writes=True):
            return _patiently(ask)

    def tags(self) -> dict[str, str]:
        """All keys and their tags."""
        name, prefix = _parts(self.uri)

        def ask() -> dict[str, str]:
            pages = _client().get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
            found = [one for page in pages for one in page.get("Contents", [])]
            return {one["Key"].removeprefix(prefix): one["ETag"] for one in found}

        with reached(self.uri):
            return _patiently(ask)

    def _download(self, key: str, file: Path, mode: int) -> None:
        def get() -> None:
            if not _is_there(*self._place(key)):
                return
            with replacing(file) as temporary:
                _client().download_file(*self._place(key), str(temporary))
                temporary.chmod(mode)

        _patiently(get)

    def _upload(self, key: str, file: Path) -> None:
        def put() -> None:
            if not _is_there(*self._place(key)):
                _client().upload_file(str(file), *self._place(key))

        _patiently(put)

    def _place(self, key: str) -> tuple[str, str]:
        name, prefix = _parts(self.uri)
        return name, f"{prefix}{key}"


@contextmanager
def reached(uri: str, *, writes: bool = False) -> Generator[None]:
    """Errors of an S3 server in the body become ours; it has answered before the body begins.

    What is below MLOPS_BUCKET's address is this store's then: of who `writes` there first.

    Raises:
        ForeignBucketError: It is another store's.
        BucketUnavailableError: It does not answer.
        BucketError: It refuses, or nothing says who we are.
    """
    try:
        _reach(uri)
        _require_ours(uri, writes=writes)
        yield
    except MlopsError:
        raise
    except Exception as err:
        if (cause := of_the_sdk(err)) is None:
            raise
        said = " ".join(str(cause).split())
        if is_away(cause):
            raise BucketUnavailableError(
                f"the bucket {uri} cannot be asked: {said}; look whether the server answers, or "
                f"correct AWS_ENDPOINT_URL or {BUCKET}"
            ) from err
        raise BucketError(
            f"the bucket {uri} cannot be used: {said}; {BUCKET} names it, and the AWS SDK's own "
            "variables, as AWS_ACCESS_KEY_ID, say who asks"
        ) from err


def _reach(uri: str) -> None:
    """Ask once in a process, without patience, before anything is begun."""
    name, prefix = _parts(uri)
    if name in _reached:
        return
    try:
        from botocore.config import Config
    except ModuleNotFoundError as err:
        raise BucketError(
            f"{BUCKET} needs the client of S3; install it: pip install 'mlops-assets[s3]'"
        ) from err
    retries = {"mode": "standard", "total_max_attempts": 2}
    hasty = Config(connect_timeout=5, read_timeout=10, retries=retries)
    _made(hasty).list_objects_v2(Bucket=name, Prefix=prefix, MaxKeys=1)
    for variable, value in _PATIENCE.items():
        os.environ.setdefault(variable, value)
    _reached.add(name)


def _require_ours(uri: str, *, writes: bool) -> None:
    """Compare the mark, once in a process that has found one; who writes makes it."""
    address = bucket()
    if not address or address in _ours or not f"{uri}/".startswith(f"{address}/"):
        return
    name, prefix = _parts(address)
    place = {"Bucket": name, "Key": f"{prefix}{_MARK}"}
    while (mark := _patiently(lambda: _read(place))) is None:
        if not writes:
            return
        _patiently(lambda: _mark(place))
    its, _, where = mark.partition(" ")
    store = this_store(make=False)
    if its != store.id:
        raise ForeignBucketError(
            f"the files in {address} belong to another store ({where}), and this one is "
            f"{store.place}; set the same {DATABASE} as there, or give this project a prefix of "
            f"its own in {BUCKET}"
        )
    _ours.add(address)


def _read(place: Mapping[str, str]) -> str | None:
    found = unless(lambda: _client().get_object(**place), 404)
    return None if isinstance(found, int) else found["Body"].read().decode(errors="replace")


def _mark(place: Mapping[str, str]) -> None:
    """Let it be ours, unless another was there first."""
    said = this_store(make=True).said.encode()
    unless(lambda: _client().put_object(**place, Body=said, IfNoneMatch="*"), 409, 412)


def _patiently(ask: Callable[[], _Answer]) -> _Answer:
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return ask()
        except Exception as err:
            cause = of_the_sdk(err)
            if cause is None or not is_away(cause) or time.monotonic() > deadline:
                raise
            time.sleep(1)


@cache
def _client() -> Any:
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": 2}  # `_patiently` goes on
    return _made(Config(connect_timeout=10, retries=retries, max_pool_connections=2 * _AT_ONCE))


def _made(config: Any) -> Any:
    import boto3  # 0.2 CPU s

    try:
        return boto3.session.Session().client("s3", config=config)
    except ValueError as err:
        raise BucketError(f"the AWS SDK cannot be used: {err}; correct AWS_ENDPOINT_URL") from err


def _is_there(name: str, key: str) -> bool:
    return not isinstance(unless(lambda: _client().head_object(Bucket=name, Key=key), 404), int)


def _parts(uri: str) -> tuple[str, str]:
    """Name and prefix, which is empty or ends with a slash."""
    name, _, prefix = uri.removeprefix("s3://").partition("/")
    return name, f"{prefix}/" if prefix else ""
