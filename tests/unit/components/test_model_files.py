"""A broken YAML: one line for each fault, with the place and the remedy; the other models go on."""

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.cli.context import chosen_models
from mlops_assets.components.loading import left_out, load_models
from mlops_assets.components.model_files import Part, read_parts
from mlops_assets.components.settings import loaded_models
from mlops_assets.errors import ConfigError, FaultyModelError
from tests.support.loans import fake_resources
from tests.support.tables.yaml_faults import NO_MODEL, NO_YAML, SOUND, Broken

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes `defs.yaml` into a folder below `defs`."""

    def write(folder: str, content: bytes | str, name: str = "defs.yaml") -> Path:
        file = tmp_path / "defs" / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def named(name: str, port: int) -> str:
    return SOUND.replace("name: loans", f"name: {name}").replace("18200", str(port))


def only(tmp_path: Path) -> Part:
    (part,) = read_parts(tmp_path / "defs")
    return part


def test_a_sound_file_has_no_fault(tmp_path: Path, write: Write) -> None:
    write("loans", "\N{BYTE ORDER MARK}" + SOUND)
    part = only(tmp_path)
    assert part.faults == ()
    (model,) = part.models
    assert model.settings.contract.columns["grade"].allowed == ("1", "2")  # texts stay texts


@pytest.mark.parametrize("off", ["off", "Off", "'off'"])
def test_a_bare_off_is_no_boolean(tmp_path: Path, write: Write, off: str) -> None:
    write("loans", SOUND.replace("roc_auc,", f"roc_auc, gate: {{against_champion: {off}}},"))
    part = only(tmp_path)
    assert part.faults == ()
    assert part.models[0].settings.evaluation.gate.against_champion == "off"


@pytest.mark.parametrize("broken", [*NO_YAML, *NO_MODEL], ids=lambda broken: broken.name)
def test_each_fault_is_one_line_with_its_place_and_remedy(
    tmp_path: Path, write: Write, broken: Broken
) -> None:
    file = write("loans", broken.change(SOUND.encode()))
    first = str(only(tmp_path).faults[0])
    assert first.startswith(f"{file}:{broken.line}: ")
    assert broken.said in first
    assert re.search(r"; \w", first), "it says no remedy"
    assert "\n" not in first


LINES = SOUND.splitlines()


@given(
    st.integers(0, len(LINES) - 1),
    st.integers(0, 60),
    st.integers(0, 60),
    st.text(max_size=8)
    | st.sampled_from(["{{ 1/0 }}", "[[", "*a", "&a ", "!!int ", "~", "9" * 5000]),
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_typed_is_read_or_refused_in_one_line(
    number: int, start: int, length: int, text: str
) -> None:
    line = LINES[number]
    typed = [*LINES[:number], line[:start] + text + line[start + length :], *LINES[number + 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "loans", "defs.yaml")
        file.parent.mkdir()
        file.write_bytes("\n".join(typed).encode(errors="surrogatepass"))
        (part,) = read_parts(Path(folder))
    for fault in map(str, part.faults):
        assert re.match(rf"{re.escape(str(file))}:\d+: .*; \w", fault)
        assert len(fault.splitlines()) == 1
        assert len(fault) < 1200


def test_all_faults_of_a_file_are_said_at_once(tmp_path: Path, write: Write) -> None:
    write("loans", SOUND.replace("[amount, grade]", "[x, grade]").replace("roc_auc", "auc"))
    assert [fault.line for fault in only(tmp_path).faults] == [16, 21]
    write("loans", SOUND.replace("18200", "80").replace("task: binary", "task: x"))
    assert [fault.line for fault in only(tmp_path).faults] == [17, 23]


def test_a_secret_of_the_environment_is_not_said(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANS", "hunter2")
    for place in ("18200", "400d", "binary", "3 months", "float64"):
        write("loans", SOUND.replace(place, '"{{ env.LOANS }}"'))
        (fault,) = only(tmp_path).faults
        assert "{{ env.LOANS }}" in fault.said
        assert "hunter2" not in fault.said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("folder", "this is a folder"),
        ("link", "a link to nothing"),
        ("name", "rename it to defs.yaml"),
        ("pipe", "no plain file"),
    ],
)
def test_what_is_no_file_is_named(tmp_path: Path, write: Write, kind: str, said: str) -> None:
    file = write("loans", SOUND)
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "link":
        file.symlink_to(tmp_path / "nothing")
    elif kind == "name":
        write("loans", SOUND, "Defs.yml")
    else:
        os.mkfifo(file)
    (fault,) = only(tmp_path).faults
    assert said in fault.said


def test_two_models_of_one_name_or_port(tmp_path: Path, write: Write) -> None:
    """The one in the folder of its name stays: the other is the copy. Both files are named."""
    copy = write("copied", named("loans", 18201))
    file = write("loans", named("loans", 18200))
    other = write("same_port", named("same_port", 18200))
    copied, loans, same_port = read_parts(tmp_path / "defs")
    assert loans.faults == copied.disputes == same_port.disputes == ()
    assert f"loans is taken by the model loans of {file}:3; choose another" in str(copied.faults[0])
    assert f"18200 is taken by the model loans of {file}:23" in str(same_port.faults[0])
    assert (copied.faults[0].line, same_port.faults[0].line) == (3, 23)
    name, port = map(str, loans.disputes)
    assert name.startswith(f"{file}:3: name: loans is claimed by the model loans of {copy}:3 too; ")
    assert port.startswith(f"{file}:23: deployment.port: 18200 is claimed by")
    assert f"the model same_port of {other}:23 too; choose another there" in port


def test_a_new_model_does_not_take_the_port_of_one_that_serves(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ENDPOINTS", str(tmp_path / "endpoints"))
    write("anew", named("anew", 18200))
    write("loans", named("loans", 18200))
    assert [bool(part.faults) for part in read_parts(tmp_path / "defs")] == [False, True]
    (tmp_path / "endpoints" / "loans").mkdir(parents=True)
    assert [bool(part.faults) for part in read_parts(tmp_path / "defs")] == [True, False]


def test_a_link_back_to_the_folder_is_no_endless_way(tmp_path: Path, write: Write) -> None:
    write("loans", SOUND)
    (tmp_path / "defs" / "more").mkdir()
    (tmp_path / "defs" / "more" / "back").symlink_to(tmp_path / "defs")
    assert [part.path.name for part in read_parts(tmp_path / "defs")] == ["loans"]


@pytest.fixture
def world(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A sound model among broken YAML, broken Python, and assets of Dagster's own kind."""
    write("loans", SOUND)
    for number, broken in enumerate([*NO_YAML, *NO_MODEL]):
        write(f"broken_{number}", broken.change(SOUND.encode()))
    write("team/churn", named("churn", 18201))
    write(
        "team/late", named("late", 18202).replace("deployment:", "compute: {x: {}}\n  deployment:")
    )
    write("raises", named("raises", 18203))
    write("raises", "import os\nos.environ['NO_SUCH']\n", "__init__.py")
    write("plain", "import dagster as dg\n@dg.asset\ndef mine(): ...\n", "mine.py")
    write("slip", "def x(:\n", "slip.py")
    write("other", "type: dagster.FunctionComponent\nattributes: {execution: {fn: no.such}}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name.partition(".")[0] == "defs"]:
        monkeypatch.delitem(sys.modules, module)  # of the test before
    return importlib.import_module("defs")


def loaded(world: ModuleType, state: Path) -> dg.Definitions:
    resources = fake_resources(state)
    return dg.Definitions.merge(load_models(world), dg.Definitions(resources=resources))


def test_the_other_models_go_on(tmp_path: Path, world: ModuleType) -> None:
    definitions = loaded(world, tmp_path)
    assert chosen_models(definitions, []) == ["churn", "loans"]
    assert loaded_models(definitions)["churn"].deployment.port == 18201
    assert dg.AssetKey("mine") in {spec.key for spec in definitions.resolve_all_asset_specs()}

    faults = left_out(definitions)
    assert len(faults) == len([*NO_YAML, *NO_MODEL]) + 4
    by_name = {name: said for names, said in faults.items() for name in names}
    assert by_name["late"][0].endswith("; correct it")
    assert f"{tmp_path}/defs/team/late/defs.yaml:23: compute: " in by_name["late"][0]
    assert f"{tmp_path}/defs/raises/__init__.py:2: KeyError: 'NO_SUCH'" in by_name["raises"][0]
    assert f"{tmp_path}/defs/slip/slip.py:1: no Python: " in by_name["slip.py"][0]
    assert "other/defs.yaml:1: " in by_name["other"][0]


def test_a_broken_model_is_refused_by_its_name(tmp_path: Path, world: ModuleType) -> None:
    definitions = loaded(world, tmp_path)
    assert chosen_models(definitions, []) == ["churn", "loans"]
    assert chosen_models(definitions, ["loans"]) == ["loans"]
    with pytest.raises(FaultyModelError, match=r"team/late/defs.yaml:23: compute"):
        chosen_models(definitions, ["late"])
    with pytest.raises(ConfigError, match="did you mean 'loans'"):
        chosen_models(definitions, ["laons"])
