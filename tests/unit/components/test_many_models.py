"""What a model more costs to load: counted, in a process of its own."""

import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.components import documents
from mlops_assets.components.documents import DocumentError, read_documents
from mlops_assets.components.templates import TemplatedSettings
from tests.support.runs.many_models import loaded, make_project
from tests.support.servers import ROOT
from tests.support.tables.yaml_faults import NO_MODEL, NO_YAML, SOUND


def test_a_model_more_costs_few_calls_and_objects(tmp_path: Path) -> None:
    """Each definition 750 calls (nearly all of them Dagster's) and 39 objects, every time.

    Before a model copied what Dagster found in the code of another's functions, it had 2.3 times
    the calls and 1.2 times the objects; before each file was read once, by libyaml, and Dagster
    inspected each function once, 3.9 times, 1.9 times and 455 signatures.
    """
    few, many = 4, 10
    found = {}
    for models in (few, many):
        make_project(tmp_path / str(models), models)
        found[models] = loaded(tmp_path / str(models))
        assert found[models]["models"] == models
    more = {key: (found[many][key] - found[few][key]) / (many - few) for key in found[few]}
    assert more["calls"] / more["definitions"] < 800, more
    assert more["objects"] / more["definitions"] < 42, more
    assert more["signatures"] <= 6, more


def test_a_long_file_without_aliases_is_no_bomb(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("".join(f"c{i}: {{dtype: float}}\n" for i in range(10_000)))
    (document,) = read_documents(tmp_path / "a.yaml")
    assert len(document.value) == 10_000


def read_by_both(text: str, file: Path) -> list[Any]:
    """What libyaml and what PyYAML alone make of a text: values with the line of each, or words."""
    file.write_text(text, encoding="utf-8", newline="")
    found: list[Any] = []
    fast = documents._FastLoader
    assert fast is not None
    for loader in (fast, None):
        documents._FastLoader = loader
        try:
            found.append([(one.value, places(one.node)) for one in read_documents(file)])
        except DocumentError as err:
            found.append((err.line, str(err)))
        finally:
            documents._FastLoader = fast
    return found


def places(node: yaml.Node) -> list[Any]:
    """Tag and line of a node and of all below it."""
    below = node.value if isinstance(node.value, list) else []
    parts = [part for one in below for part in (one if isinstance(one, tuple) else (one,))]
    return [(node.tag, node.start_mark.line), *map(places, parts)]


EXAMPLES = [file.read_text(encoding="utf-8") for file in ROOT.glob("mlops_assets/defs/*/defs.yaml")]
BROKEN = [broken.change(SOUND.encode()) for broken in (*NO_YAML, *NO_MODEL)]


@pytest.mark.parametrize("text", [SOUND, *EXAMPLES, *[b.decode(errors="replace") for b in BROKEN]])
def test_libyaml_reads_what_pyyaml_reads_and_says_what_it_says(tmp_path: Path, text: str) -> None:
    fast, slow = read_by_both(text, tmp_path / "defs.yaml")
    assert fast == slow


TYPED = string.printable.replace("?", "")  # of which one alone is enough: below


@given(
    st.integers(0, len(SOUND)),
    st.text(st.sampled_from(TYPED), max_size=12) | st.sampled_from(["?", "a?", "? ", "\ufeff"]),
)
@settings(max_examples=150, deadline=None)
def test_so_it_does_with_whatever_is_typed(
    tmp_path_factory: pytest.TempPathFactory, at: int, typed: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "typed.yaml"
    fast, slow = read_by_both(SOUND[:at] + typed + SOUND[at:], file)
    assert fast == slow, f"{typed!r} at {at}"


def test_blocks_in_blocks_without_end_are_refused_and_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "defs.yaml"
    file.write_text("[" * 100_000, encoding="utf-8")  # libyaml: a segmentation fault
    with pytest.raises(DocumentError, match="nested too deeply"):
        read_documents(file)


def test_a_template_is_filled_in_anew_when_its_variable_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attributes = yaml.safe_load(SOUND)["attributes"]
    attributes["deployment"]["port"] = "{{ env('LOANS_PORT', 18201) }}"
    for value, port in ((None, 18201), ("18202", 18202), ("18203", 18203), (None, 18201)):
        if value is None:
            monkeypatch.delenv("LOANS_PORT", raising=False)
        else:
            monkeypatch.setenv("LOANS_PORT", value)
        assert TemplatedSettings.model_validate(attributes).deployment.port == port
