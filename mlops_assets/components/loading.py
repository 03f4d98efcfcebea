"""The models below `defs/` -> Dagster's definitions: the sound ones, and a note on each other one.

Dagster's own loader of such a folder is all or nothing: one broken file would stop every model.
"""

import importlib
import sys
import traceback
import warnings
from pathlib import Path
from types import ModuleType

import dagster as dg
from pydantic import Field

from mlops_assets.blocks.base import Record
from mlops_assets.components.faults import Fault, with_remedy
from mlops_assets.components.model_files import Part, ReadModel, read_parts
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.errors import ConfigError
from mlops_assets.home import FRAMEWORK_ROOT, models_folder, project
from mlops_assets.keys import LEFT_OUT
from mlops_assets.metadata import read_entries, stated
from mlops_assets.runtime.interrupts import raise_interrupt


class LeftOut(Record):
    """What the asset that stands for such a part states."""

    names: tuple[str, ...] = Field(description="By which it may be called.")
    faults: tuple[str, ...] = Field(description="A line each.")


def models_package() -> ModuleType:
    """The package of the project's models: `defs`, or `mlops_assets.defs` of the checkout.

    From here on the project's own packages can be imported too.

    Raises:
        ConfigError: There is no such folder, or another package of that name comes first.
    """
    root, folder = project(), models_folder()
    if root == FRAMEWORK_ROOT:
        return importlib.import_module("mlops_assets.defs")
    if not folder.is_dir():
        raise ConfigError(
            f"the project {root} has no folder `defs`; make its first model with `mlops init DATA "
            "--target COLUMN`"
        )
    if str(root) not in sys.path:
        sys.path.append(str(root))
    defs = importlib.import_module("defs")
    found = Path(next(iter(defs.__path__)))
    if found.resolve() != folder.resolve():
        raise ConfigError(f"the package `defs` at {found} hides the project's {folder}; rename it")
    return defs


def load_models(defs: ModuleType) -> dg.Definitions:
    """The definitions of every sound part of the package `defs`.

    Each other part is one asset of the group `left_out` that nothing materializes: the UI shows
    its faults, and `left_out` reads them.
    """
    # Without the JSON schemas of the component types of all installed packages, which Dagster's
    # loader adds for a page of the UI: a third of the CPU of `import dagster`.
    tree = dg.Definitions(component_tree=dg.ComponentTree.from_module(defs, project()))
    # After it: the first `Definitions` of a process keep what their maker's local names hold.
    parts = read_parts(Path(defs.__path__[0]))
    with warnings.catch_warnings():
        for about_dagster_itself in (dg.BetaWarning, dg.PreviewWarning):
            warnings.simplefilter("ignore", about_dagster_itself)
        # One by one out of the list: what a loaded part was read from is free for the next.
        loaded = [_load(parts.pop(0), defs) for _ in range(len(parts))]
        return dg.Definitions.merge(*loaded, tree)


def left_out(definitions: dg.Definitions) -> dict[tuple[str, ...], list[str]]:
    """The names by which a part that was left out may be called -> its faults, a line each."""
    specs = [asset for asset in definitions.assets or () if isinstance(asset, dg.AssetSpec)]
    notes = (read_entries(x.metadata, LeftOut) for x in specs if x.group_name == LEFT_OUT)
    return {note.names: list(note.faults) for note in notes if note}


def fault_lines(definitions: dg.Definitions) -> list[str]:
    """The faults of every part that was left out, each once: one of the defaults is of many."""
    lines = [line for faults in left_out(definitions).values() for line in faults]
    return list(dict.fromkeys(lines))


def _load(part: Part, defs: ModuleType) -> dg.Definitions:
    root = Path(defs.__path__[0])
    if part.faults:
        return _note(part, part.faults, root)
    try:
        place = part.path.relative_to(root).with_suffix("").parts
        module = importlib.import_module(".".join((defs.__name__, *place)))
        if part.path.suffix == ".py":
            return dg.load_definitions_from_module(module)
        if part.plain:  # 6 to 10 ms a model less: Dagster would read and validate it once more
            return dg.Definitions.merge(*map(_definitions, part.models))
        tree = dg.ComponentTree.from_module(module, project())
        return tree.build_defs_at_path(part.path)
    except Exception as err:  # Dagster's, and whatever a user's Python raises when it is imported
        raise_interrupt(err)
        return _note(part, [_fault(part, err)], root)


def _definitions(model: ReadModel) -> dg.Definitions:
    """Those of one model; in the UI its assets lead to its YAML."""
    line = model.written.own.node.start_mark.line + 1
    reference = dg.LocalFileCodeReference(file_path=str(model.file), line_number=line)
    place = dg.CodeReferencesMetadataValue(code_references=[reference])
    return build_model_defs(model.settings, {"dagster/code_references": place})


def _note(part: Part, faults: tuple[Fault, ...] | list[Fault], root: Path) -> dg.Definitions:
    lines = [str(fault) for fault in faults]
    key = dg.AssetKey([*part.path.relative_to(root).parts, "defs_yaml"])
    note = LeftOut(names=part.names, faults=tuple(lines))
    spec = dg.AssetSpec(
        key,
        group_name=LEFT_OUT,
        description="Left out, until this is mended:\n\n" + "\n".join(f"- `{x}`" for x in lines),
        metadata={name: dg.MetadataValue.text(told) for name, told in stated(note).items()},
        kinds={"yaml"},
    )
    return dg.Definitions(assets=[spec])


def _fault(part: Part, err: Exception) -> Fault:
    """What Dagster or a user's code refused, where it is most likely to be mended."""
    cause: BaseException = err
    while inner := cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__):
        cause = inner
    if isinstance(cause, ConfigError) and part.models:
        return part.models[0].fault("compute", str(cause))
    if isinstance(cause, SyntaxError) and cause.filename:
        return Fault(
            Path(cause.filename), cause.lineno or 1, with_remedy(f"no Python: {cause.msg}")
        )
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(part.path)]
    said = with_remedy(f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}")
    if own:
        return Fault(Path(own[-1].filename), own[-1].lineno or 1, said)
    return Fault(part.file or part.path, 1, said)
