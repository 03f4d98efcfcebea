"""Model files in the skops format: whether they hold only types on a list, and loading them.

The list is ours (`trusted_types`) and the YAML's: the one that MLflow writes beside a model comes
from the model's author and so guards nothing. A booster of XGBoost, LightGBM or CatBoost lies in
the file in its library's own format.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from importlib.metadata import packages_distributions

from mlops_assets.errors import DeploymentError, UnsafeModelError
from mlops_assets.ml.estimators import Pipeline
from mlops_assets.ml.inference.trusted_types import BOOSTERS, TRUSTED_TYPES

_SCHEMA = "schema.json"
_MODULE = re.compile(rb'"__module__": "(\w+)')


def untrusted_types(content: bytes, own: Sequence[str] = ()) -> list[str]:
    """Names of the types in a skops file that are not on the allow-list; nothing is loaded.

    Args:
        content: The file.
        own: Further types that are allowed, as `trusted_types.own_types` names them.

    Raises:
        UnsafeModelError: It is not a skops file.
    """
    import skops.io  # 9 CPU s with scikit-learn

    try:
        found = skops.io.get_untrusted_types(data=content)
    except Exception as err:  # a damaged archive fails in many ways: zip, JSON, missing keys, numpy
        raise _damaged(err) from err
    return sorted(set(found) - {*TRUSTED_TYPES, *own})


def load_estimator(content: bytes, own: Sequence[str] = ()) -> Pipeline:
    """Load a skops file if every type in it is on the allow-list or among `own`.

    Raises:
        DeploymentError: A library that it needs cannot be imported.
        UnsafeModelError: Some type is not, or it is not a skops file.
    """
    import skops.io

    if unknown := untrusted_types(content, own):
        raise UnsafeModelError(
            f"the model file holds types outside the allow-list and was not loaded: {unknown}; use "
            "another estimator, or review the types and name them in training.trusted_types"
        )
    try:
        return skops.io.loads(content, trusted=[*TRUSTED_TYPES, *own])
    except ImportError as err:
        raise DeploymentError(
            f"the model is made of {err.name}, which cannot be imported: {err}; install it where "
            "the model is served (XGBoost, LightGBM and CatBoost are extras of mlops-assets)"
        ) from err
    except Exception as err:  # as above
        raise _damaged(err) from err


def distributions_in(content: bytes) -> list[str]:
    """The distributions of those of `BOOSTERS` that a skops file holds objects of, as installed.

    Raises:
        UnsafeModelError: It is not a skops file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = set(_MODULE.findall(archive.read(_SCHEMA)))
    except (zipfile.BadZipFile, KeyError) as err:
        raise _damaged(err) from err
    boosters = [name for name in BOOSTERS if name.encode() in found]
    installed = packages_distributions() if boosters else {}  # looks at every installed file
    return [installed[name][0] for name in boosters]


def _damaged(err: Exception) -> UnsafeModelError:
    return UnsafeModelError(
        f"the model file is damaged or no skops file: {type(err).__name__}: {err}; "
        "train and register the model again"
    )
