"""Texts without the secrets that stand in the addresses which they quote.

Libraries put the whole address of what they could not reach into their errors: a database's, a
tracking server's with a user and a password, an online store's. Errors are kept in Dagster's event
log and sent to people.
"""

import re

HIDDEN = "***"
_USER_INFO = re.compile(
    r"""(?P<start>://)
        (?P<user>[^\s/?\#:@\[\]'"]*)
        (?: :(?!\d+(?:[/?\#\s'",;)]|$))[^\s'"]*    # a password, with any sign in it; no port
          | (?=@) )
        @""",
    re.VERBOSE,
)
_NAMED = re.compile(
    r"""(?ix)(?P<name>[\w.-]*(?:password|passwd|pwd|secret|token|signature|credential
              |api[_-]?key|access[_-]?key|account[_-]?key|sig)[\w-]*\ ?[=])\ ?
        (?:"[^"]*"|'[^']*'|[^\s&,;'")]+)"""
)


def without_secrets(text: str) -> str:
    """The text, with `***` for each password of a URI and each value named like a secret."""
    if "://" in text:
        text = _USER_INFO.sub(_hide_user_info, text)
    return _NAMED.sub(rf"\g<name>{HIDDEN}", text) if "=" in text else text


def _hide_user_info(found: re.Match[str]) -> str:
    """Without a password, what stands for the user may be a token."""
    alone = found[0] == f"://{found['user']}@"
    return f"{found['start']}{HIDDEN if alone else found['user'] + ':' + HIDDEN}@"


def forget_secrets(err: BaseException) -> None:
    """Take them out of an error and out of all that it was raised from, in place."""
    seen: set[int] = set()
    while id(err) not in seen:
        seen.add(id(err))
        err.args = tuple(without_secrets(one) if isinstance(one, str) else one for one in err.args)
        if isinstance(message := getattr(err, "message", None), str):  # of MLflow's
            vars(err)["message"] = without_secrets(message)
        err = err.__cause__ or err.__context__ or err
