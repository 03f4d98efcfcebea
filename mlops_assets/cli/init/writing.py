"""What is inferred of a table -> files of the project, written whole once nothing is wrong.

Validated by the product's own loader and by a rehearsal first; the voice is `cli.init.verb`.
"""

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mlops_assets.blocks.base import one_line
from mlops_assets.cli.facts.checks import python_faults
from mlops_assets.cli.init.page import PAGE, profile_page
from mlops_assets.cli.init.ports import free_port, wanted_port
from mlops_assets.components.defaults import FILE as DEFAULTS
from mlops_assets.components.defaults import over_defaults
from mlops_assets.components.editor_schema import SCHEMA_FILE, schema_text
from mlops_assets.components.model_files import Part, read_parts
from mlops_assets.components.templates import TemplatedSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError, FaultyModelError, NoProjectError, StateError
from mlops_assets.home import FRAMEWORK_ROOT, PROJECT_FILE, models_folder, project
from mlops_assets.init.questions import Answers
from mlops_assets.redaction import without_secrets
from mlops_assets.runtime.atomic import write_atomically

if TYPE_CHECKING:
    from mlops_assets.init.baseline import Rehearsal
    from mlops_assets.init.draft import Draft
    from mlops_assets.init.reading.table import Table


def write_model(data: str, target: str, name: str | None, answers: Answers) -> tuple[Path, "Draft"]:
    """Infer, rehearse, validate, and only then write; where there is no project, make one here.

    Raises:
        ConfigError: There is such a model already, or nothing to learn.
        SourceError: The data is no table that can be read.
        UndecidedError: A person must decide.
        StateError: The file cannot be written.
    """
    from mlops_assets.init.plan import Wanted, plan
    from mlops_assets.init.reading.names import safe_name
    from mlops_assets.init.yaml_text import yaml_text

    root, folder = project_or_here()
    parts = read_parts(folder) if folder.is_dir() else []
    chosen = name or safe_name(Path(data.rstrip("/*")).name.split(".")[0]) or "model"
    require_new(chosen, parts)
    port = wanted_port(answers, parts) or free_port(parts)
    table, loader = looked_at(
        data.removeprefix("file://"), target, answers, ".".join([*package(root, folder), chosen])
    )
    if answers.given("sheet") and "uri" in table.source and table.source.get("format") != "excel":
        raise ConfigError(
            f"--sheet {answers.given('sheet')!r} is of a workbook, which {data} is not"
        )
    if "uri" in table.source:
        table.source["uri"] = _within(root, table.source["uri"])
    draft = plan(table, Wanted(chosen, target, port), answers)
    rehearsal = rehearsed(table, draft, folder)
    schema = os.path.relpath(root / SCHEMA_FILE, folder / chosen)
    command = _command(data, {"target": target, "name": name, **answers.options})
    heading = [f"yaml-language-server: $schema={schema}", *_heading(command, table, rehearsal)]
    files = {"defs.yaml": yaml_text(draft, heading)}
    if draft.sample and (page := profile_page(draft.sample, f"{chosen}: {table.looked_at}")):
        files |= {PAGE: page, ".gitignore": f"/{PAGE}\n"}  # the page shows values of the table
    if loader:
        files |= {"loader.py": loader, "__init__.py": '"""Where the rows come from."""\n'}
    check_text(files["defs.yaml"], chosen, folder)
    return place(files, root, folder / chosen), draft


def looked_at(data: str, target: str, answers: Answers, package: str) -> tuple["Table", str]:
    """A sample of the data; and the Python that loads all of them, if they need any.

    Raises:
        SourceError: They are no table that can be read.
    """
    from mlops_assets.init.reading.labels import join_labels
    from mlops_assets.init.reading.remote import fetch, is_remote
    from mlops_assets.init.reading.table import read_sample

    labels = answers.given("labels")
    if not is_remote(data) and not labels:
        return read_sample(_absolute(data), target, answers), ""
    with tempfile.TemporaryDirectory(prefix="init-") as folder:
        if not labels:
            remote = fetch(data, target, answers, Path(folder))
        elif is_remote(data) or is_remote(labels):
            raise ConfigError("--labels joins local files; fetch both, or join them in --query")
        else:
            files = _absolute(data), _absolute(labels)
            remote = join_labels(*files, target, answers, Path(folder))
        table = read_sample(str(remote.sample), target, answers)
    source: dict[str, object] = dict(remote.source) or {"loader": f"{package}.loader.load"}
    if remote.watch:
        source["watch"] = list(remote.watch)
    table = table._replace(source=source, whole=remote.whole, of_rows=table.rows)
    decimal, thousands = remote.marks
    return table._replace(decimal=decimal, thousands=thousands), remote.code


def package(root: Path, folder: Path) -> list[str]:
    """The package of the models, as Python calls it."""
    return list(folder.relative_to(root).parts)


def project_or_here() -> tuple[Path, Path]:
    """The project's folder, or the working directory where there is none yet; and its models'."""
    if _has_project():
        os.environ["MLOPS_PROJECT"] = str(project())
        return project(), models_folder()
    here = Path.cwd()
    os.environ.setdefault("MLOPS_HOME", str(here / ".mlops"))
    return here, here / "defs"


def _has_project() -> bool:
    """Not who only uses a checkout of the framework, from a folder elsewhere."""
    try:
        root = project()
    except NoProjectError:
        return False
    named, here = os.environ.get("MLOPS_PROJECT"), Path.cwd().resolve()
    return bool(named) or root != FRAMEWORK_ROOT or here.is_relative_to(FRAMEWORK_ROOT)


def require_new(name: str, parts: Sequence[Part]) -> None:
    """Refuse a name that is taken or cannot be one.

    Raises:
        ConfigError: It is.
    """
    from mlops_assets.init.reading.names import LONGEST, safe_name

    if safe_name(name) != name:
        raise ConfigError(
            f"--name {name!r:.100}: write at most {LONGEST} lower-case letters, digits and `_`, "
            f"beginning with a letter, e.g. {safe_name(name) or 'model'!r}"
        )
    if name in {one for part in parts for one in part.names}:
        raise ConfigError(f"there is a model {name!r} already; choose another --name")


def rehearsed(table: "Table", draft: "Draft", models: Path) -> "Rehearsal | None":
    """Run the draft, over the defaults of the models' folder, and set the gate by it.

    Not over a part of an event log, which has no entity's whole history.

    Raises:
        ConfigError: It would not load, or a step fails.
    """
    from mlops_assets.init.baseline import LIMITED, candidates, choose, decide_gate, rehearse
    from mlops_assets.init.yaml_text import refuse_templates

    refuse_templates(draft)
    task = draft.attributes["target"]["task"]
    draft.attributes["evaluation"] = {"primary": LIMITED[task][0]}
    choices = candidates(draft, table.whole)
    source = {"source": table.written_source(draft.attributes["source"])}
    drafts = [draft.attributes | source | {"training": trained} for trained in choices]
    settings = [validated(attributes, models) for attributes in drafts]
    best = None
    if table.whole or settings[0].features.shape == "flat_table":
        with tempfile.TemporaryDirectory(prefix="init-") as folder:
            files = table.write(Path(folder))
            try:
                found = rehearse(settings, files, datetime.now(UTC))
            except ConfigError as err:
                raise ConfigError(table.named(str(err), files)) from err
        best = choose(draft, choices, found)
    decide_gate(draft, best, task)
    return best


def write_schema(root: Path) -> Path:
    """Write the schema of YAML files into the project, for editors; its file.

    Raises:
        FaultyModelError: The defaults of the models cannot be used.
        StateError: It cannot be written.
    """
    file, schema = root / SCHEMA_FILE, schema_text(models_folder())
    write_atomically(file, lambda new: new.write_text(schema, encoding="utf-8"))
    return file


def validated(attributes: dict[str, Any], models: Path) -> ModelSettings:
    """The settings, if the YAML's schema knows all that the table needs.

    Raises:
        ConfigError: It does not.
        FaultyModelError: The defaults of the models' folder cannot be used.
    """
    try:
        found = TemplatedSettings.model_validate(over_defaults(attributes, models))
    except ValidationError as err:
        raise ConfigError(
            f"this table needs what the YAML does not know: {one_line(err)}; change the source"
        ) from err
    return ModelSettings.model_validate(found.model_dump(mode="json"))


def check_text(text: str, name: str, models: Path) -> None:
    """Refuse a YAML in which the product's own loader, or `mlops check`, finds a fault.

    Over the defaults of the folder that it will stand in.

    Raises:
        FaultyModelError: It does; the faults are of what was inferred, not of a file.
    """
    with tempfile.TemporaryDirectory(prefix="init-") as folder:
        file = Path(folder, name, "defs.yaml")
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8")
        if (defaults := models / DEFAULTS).is_file():
            shutil.copy(defaults, folder)
        faults = [str(fault) for part in read_parts(Path(folder)) for fault in _faults(part)]
    if faults:
        raise FaultyModelError("\n".join(["what was inferred does not load:", *faults]))


def place(files: Mapping[str, str], root: Path, target: Path) -> Path:
    """Put the model's folder into the project at once, whole; its file.

    Raises:
        StateError: It cannot be written, or is there already.
    """
    draft = target.parent / f".{target.name}-{os.getpid()}"
    try:
        draft.mkdir(parents=True)
        if root != FRAMEWORK_ROOT:
            (root / PROJECT_FILE).touch()
        write_schema(root)
        for name, text in files.items():
            (draft / name).write_text(text, encoding="utf-8")
        draft.rename(target)
    except OSError as err:
        shutil.rmtree(draft, ignore_errors=True)
        raise StateError(
            f"cannot write {target}: {err.strerror}; allow it, or choose another --name"
        ) from err
    return target / "defs.yaml"


def _faults(part: Part) -> Iterator[Any]:
    yield from part.faults
    for model in part.models:  # a loader can be imported only once it is in its place
        yield from python_faults(model, ["trained_model"])


def _command(data: str, options: Mapping[str, str | None]) -> str:
    """What writes the same again."""
    given = (f"--{name} {shlex.quote(value)}" for name, value in options.items() if value)
    return without_secrets(" ".join(["mlops init", shlex.quote(data), *given]))


def _heading(command: str, table: "Table", rehearsal: "Rehearsal | None") -> list[str]:
    lines = [f"Written by `{command}`: {table.looked_at} were looked at."]
    if rehearsal is not None:
        lines.append(
            f"Rehearsed on them: {rehearsal.train_rows} to train on, {rehearsal.test_rows} to test."
        )
    return [" ".join(line.split()) for line in lines]


def _absolute(data: str) -> str:
    return data if "://" in data else str(Path(data).expanduser().absolute())


def _within(root: Path, uri: str) -> str:
    """A path as a run reads it, from the project's folder: relative if it is in there."""
    from_here = root != FRAMEWORK_ROOT or Path.cwd() == root
    inside = "://" not in uri and Path(uri).is_relative_to(root) and from_here
    return str(Path(uri).relative_to(root)) if inside else uri
