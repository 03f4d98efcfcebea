"""How the YAML names a database and asks it; it is reached by `resources.databases.source`."""

import re
from typing import Annotated

from pydantic import AfterValidator

from mlops_assets.redaction import without_secrets

_VARIABLE = re.compile(r"env:([A-Za-z_]\w*)")
_USER = re.compile(r"://[^\s/?#:@]+@")
_READS = re.compile(
    r"(\s|\(|--[^\n]*\n|/\*.*?\*/)*(select|with|values|table)\b", re.IGNORECASE | re.DOTALL
)
_TABLE = re.compile(r'((?P<schema>[^"]+|"[^"]+")\.)?(?P<name>[^".]+|"[^"]+")')


def variable_of(address: str) -> str | None:
    """The environment variable that an address names as `env:NAME`."""
    named = _VARIABLE.fullmatch(address)
    return named[1] if named else None


def require_reading(query: str) -> str:
    """The query, if it begins as one that only reads; `ValueError` otherwise."""
    if not _READS.match(query):
        raise ValueError(f"{query[:80]!r} is no query; begin it with `select` or `with`")
    return query


def table_parts(table: str) -> tuple[str | None, str]:
    """Schema and name of a table as the YAML writes it; `ValueError` if it is not well formed."""
    found = _TABLE.fullmatch(table)
    if found is None:
        raise ValueError(
            f'{table!r} names no table; write e.g. shop.orders, and shop."a.b" for a dot in a name'
        )
    schema, name = found["schema"], found["name"]
    return schema and schema.strip('"'), name.strip('"')


def _named(table: str) -> str:
    table_parts(table)
    return table


def _without_password(address: str) -> str:
    if variable_of(address) is None and "://" not in address:
        raise ValueError(
            "it is neither `env:NAME` of a variable nor an address; write e.g. env:SHOP_DB"
        )
    bare = _USER.sub("://", address)  # a user alone is no secret
    if without_secrets(bare) != bare:
        raise ValueError(
            "the address holds a password; put it into a variable, e.g. SHOP_DB, and write "
            "env:SHOP_DB"
        )
    return address


DatabaseAddress = Annotated[str, AfterValidator(_without_password)]
"""`env:NAME` of a variable, or an address of SQLAlchemy that tells no secret."""
TableName = Annotated[str, AfterValidator(_named)]
"""`NAME` or `SCHEMA.NAME`, each in double quotes if there is a dot in it."""
Query = Annotated[str, AfterValidator(require_reading)]
"""What only reads, in the database's SQL."""
