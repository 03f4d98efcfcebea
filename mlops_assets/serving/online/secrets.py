"""Secrets of an online store: named in its configuration, filled in by the process that opens it.

The configuration is written to manifests and read by whoever may see them; a password in it stands
there as `${NAME}`.
"""

import os
import re
from typing import Any

from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.serving import OnlineFeatures

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def named_in(text: str) -> list[str]:
    """The variables that a configuration names, in order."""
    return list(dict.fromkeys(_REFERENCE.findall(text)))


def opened(online: OnlineFeatures) -> OnlineFeatures:
    """The same with the values of the variables that it names; for this process only."""
    return online.model_copy(update={"store": with_secrets(online.store)})


def with_secrets(value: Any) -> Any:
    """Fill in every text in a Feast configuration; `FeatureStoreError` if a variable is unset."""
    if isinstance(value, dict):
        return {name: with_secrets(part) for name, part in value.items()}
    if isinstance(value, list):
        return [with_secrets(part) for part in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda found: _variable(found[1]), value)


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as err:
        raise FeatureStoreError(
            f"the online store needs the variable {name}, which this process does not have; set it "
            "where the endpoint is started from (`mlops stop`, `mlops up`), for pods name its "
            "Secret in deployment.cluster.secrets"
        ) from err
