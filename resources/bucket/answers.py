"""What an S3 server's answers mean, by what the AWS SDK raises of them."""

from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")


def unless(ask: Callable[[], _Answer], *statuses: int) -> _Answer | int:
    """The answer, or of these statuses the one that it has."""
    from botocore.exceptions import ClientError

    try:
        return ask()
    except ClientError as err:
        status = err.response["ResponseMetadata"]["HTTPStatusCode"]
        if status not in statuses:
            raise
        return status


def of_the_sdk(err: BaseException) -> Exception | None:
    """What the AWS SDK said, which others wrap; None of what has another origin."""
    from botocore.exceptions import BotoCoreError, ClientError

    seen: set[int] = set()
    at: BaseException | None = err
    while at is not None and id(at) not in seen:
        if isinstance(at, BotoCoreError | ClientError):
            return at
        seen.add(id(at))
        at = getattr(at, "last_exception", None) or at.__cause__ or at.__context__
    return None


def is_away(cause: Exception) -> bool:
    """Whether it may answer if it is asked again."""
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
        SSLError,
    )

    if isinstance(cause, ClientError):
        answer = cause.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return (status >= 500 and status != 501) or answer.get("Error", {}).get(
            "Code"
        ) == "SlowDown"
    passing = (ConnectionError, HTTPClientError, IncompleteReadError)
    return isinstance(cause, passing) and not isinstance(cause, SSLError)
