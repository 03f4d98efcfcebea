"""How a verb is declared; which ones there are is in the modules beside."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Argument:
    """A positional, or an option where the names begin with dashes."""

    names: tuple[str, ...]
    settings: Mapping[str, Any]
    """Those of `argparse.ArgumentParser.add_argument`."""

    @property
    def is_option(self) -> bool:
        """Whether it may be left out, unless it is `required`."""
        return self.names[0].startswith("-")


def takes(*names: str, **settings: Any) -> Argument:
    """An argument, spelled as for `argparse`."""
    return Argument(names, settings)


MODEL = takes("model", help="its name")
MODELS = takes("models", nargs="*", metavar="model", help="their names; default: all")


@dataclass(frozen=True)
class Verb:
    """One verb of `mlops`."""

    name: str
    runs: str
    """Dotted path of what it calls, with each argument under its name; imported when it is."""
    about: str
    """What it does, in a sentence without a full stop."""
    arguments: tuple[Argument, ...] = ()
    examples: tuple[str, ...] = ()
    """Commands that work where the two examples are live."""
    more: str = ""
    """What somebody should know besides."""
    facts: str = ""
    """Dotted path of the record that `--json` prints; a list of them if it ends in `[]`."""
    anywhere: bool = False
    """Whether it works outside a project, or in one without making its state folder."""
    asks: bool = False
    """Whether it asks a person, so that nothing else may be written to the terminal meanwhile."""

    def load(self) -> Callable[..., int]:
        """What it calls."""
        module, _, name = self.runs.rpartition(".")
        return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Group:
    """Verbs that belong together, as the help shows them."""

    title: str
    verbs: tuple[Verb, ...]
