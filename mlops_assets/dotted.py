"""Objects named by dotted path in the configuration: estimators and loaders."""

import difflib
import importlib
from typing import Any

from mlops_assets.errors import DottedPathError
from mlops_assets.runtime.interrupts import raise_interrupt


def import_object(path: str) -> Any:
    """Import `package.module.name`; `DottedPathError` if there is no such thing."""
    module_name, _, name = path.rpartition(".")
    if not module_name:
        raise DottedPathError(f"{path!r} is not a dotted path; write e.g. 'package.module.name'")
    try:
        module = importlib.import_module(module_name)
    except ImportError as err:
        raise_interrupt(err)
        raise DottedPathError(
            f"cannot import {module_name!r} of {path!r}: {err}. "
            "Check the spelling, and that its package is installed."
        ) from err
    except Exception as err:  # whatever a user's module does when it is imported
        raise_interrupt(err)
        raise DottedPathError(
            f"importing {module_name!r} of {path!r} raised {type(err).__name__}: {err}; correct it"
        ) from err
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; check the spelling"
        raise DottedPathError(f"module {module_name!r} has no {name!r}{hint}")
    return getattr(module, name)
