"""Defaults of all models in one file, under each model's own: merged, and named where wrong."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import jsonschema
import pytest
import yaml

from mlops_assets.cli.facts.checks import check
from mlops_assets.components.defaults import ProjectSettings, merged
from mlops_assets.components.loading import load_models, models_package
from mlops_assets.components.model_files import Part, read_parts
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.components.settings import loaded_models
from mlops_assets.config import ModelSettings
from tests.support.loans import fake_resources
from tests.support.tables.yaml_faults import SOUND

SHARED = """\
# for all models
owners: ["team:credit"]
processing: {categorical_encoding: [grade], fill_na: {amount: 0}}
training:
  estimator: sklearn.linear_model.LogisticRegression
  params: {C: 0.5}
  split: {by: time, test: 3 months}
evaluation:
  primary: roc_auc
  gate: {limits: {roc_auc: {min: 0.7}, log_loss: {max: 0.6}}}
schedule: {train: "0 0 * * 0"}
"""
OWN = """\
type: mlops_assets.components.ModelPipeline
attributes:
  name: loans
  source: {uri: loans.csv}
  entity: {name: id}
  timestamp: time
  contract:
    columns:
      id: {dtype: int64}
      time: {dtype: datetime}
      amount: {dtype: float64, min: 0}
      grade: {dtype: string, allowed: ["1", "2"]}
      label: {dtype: int64, allowed: [0, 1]}
  features: {columns: [amount, grade], ttl: 400d, clock: data}
  target: {name: defaulted, task: binary, column: label}
  deployment: {port: 18200}
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file below the models' folder of a project, which is then the project."""
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "state"))
    for module in [name for name in sys.modules if name.partition(".")[0] == "defs"]:
        monkeypatch.delitem(sys.modules, module)  # of the test before
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mlops.yaml").touch()

    def write(name: str, text: str) -> Path:
        file = tmp_path / "defs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write


def only(tmp_path: Path) -> Part:
    (part,) = read_parts(tmp_path / "defs")
    return part


def settings_of(part: Part) -> ModelSettings:
    assert part.faults == ()
    return part.models[0].settings


def test_a_models_own_attributes_are_laid_over_the_defaults(tmp_path: Path, write: Write) -> None:
    write("defaults.yaml", SHARED)
    own = "  evaluation: {slices: [grade], gate: {limits: {roc_auc: {min: 0.9}, log_loss: null}}}\n"
    own += "  owners: [a@b.org]\n  schedule: {train: null}\n"
    write("loans/defs.yaml", OWN + own)
    found = settings_of(only(tmp_path))
    assert found.training.split.test == "3 months"
    assert found.training.params == {"C": 0.5}
    assert found.evaluation.primary == "roc_auc"
    assert found.evaluation.slices == ("grade",)
    assert {name: limit.min for name, limit in found.evaluation.gate.limits.items()} == {
        "roc_auc": 0.9
    }
    assert found.owners == ("a@b.org",), "a list is replaced"
    assert found.schedule.train is None


@pytest.mark.parametrize(
    ("own", "params"),
    [
        ({}, {"C": 0.5}),
        ({"estimator": "a.B"}, {"C": 0.5}),
        ({"estimator": "a.C"}, {}),
        ({"estimator": "a.C", "params": None}, None),
        ({"params": None}, None),
        ({"params": {"tol": None}}, {"tol": None}),
    ],
)
def test_parameters_go_with_their_estimator(own: dict[str, Any], params: object) -> None:
    defaults = {"training": {"estimator": "a.B", "params": {"C": 0.5}, "seed": 3}}
    training = merged(defaults, {"training": own})["training"]
    assert training.get("params") == params
    assert training["seed"] == 3


def test_without_defaults_a_file_means_what_it_says(tmp_path: Path, write: Write) -> None:
    write("loans/defs.yaml", SOUND)
    alone = settings_of(only(tmp_path))
    write("defaults.yaml", "# nothing yet\n")
    assert settings_of(only(tmp_path)) == alone


@pytest.mark.parametrize(
    ("shared", "own", "file", "line", "said"),
    [
        ("primary: roc_auc", "", "defaults.yaml", 9, "evaluation.primary: ['x'] not among"),
        ("team:credit", "", "defaults.yaml", 2, "owners.0: 'x' is no owner"),
        ("min: 0.7", "", "defaults.yaml", 10, "evaluation.gate.limits.roc_auc.mn: unknown"),
        ('train: "0', "", "defaults.yaml", 11, "schedule.trian: unknown key"),
        ("[grade]", "", "defaults.yaml", 3, "processing.categorical_encoding: 'x'"),
        ("", "  evaluation: {primary: x}\n", "loans/defs.yaml", 17, "evaluation.primary: ['x']"),
        (
            "",
            "  evaluation: {primary: null}\n",
            "loans/defs.yaml",
            17,
            "evaluation.primary: the key 'primary' is",
        ),
        ("", "  owners: [x]\n", "loans/defs.yaml", 17, "owners.0: 'x' is no owner"),
        ("", "  training: {sed: 1}\n", "loans/defs.yaml", 17, "training.sed: unknown key"),
    ],
)
def test_a_fault_is_said_of_the_file_that_has_it(
    tmp_path: Path, write: Write, shared: str, own: str, file: str, line: int, said: str
) -> None:
    new = {"min: 0.7": "mn: 0.7", 'train: "0': 'trian: "0', "primary: roc_auc": "primary: x"}
    write("defaults.yaml", SHARED.replace(shared, new.get(shared, "x")) if shared else SHARED)
    write("loans/defs.yaml", OWN + own)
    first = str(only(tmp_path).faults[0])
    assert first.startswith(f"{tmp_path}/defs/{file}:{line}: {said}")


@pytest.mark.parametrize(
    ("name", "text", "line", "said"),
    [
        ("defaults.yaml", "owners: [\n", 2, "no YAML"),
        ("defaults.yaml", "- owners\n", 1, "a list, not keys with values; write e.g. owners"),
        ("defaults.yaml", "seed: 1\nname: loans\n", 2, "name: a name is of one model; write it"),
        ("defaults.yaml", "type: x\nattributes: {}\n", 1, "type: here are only attributes"),
        ("defaults.yaml", "owners: []\n---\nowners: []\n", 3, "a second document; write all"),
        ("defaults.yml", "owners: []\n", 1, "nothing reads a file of this name; rename it to"),
        ("Defaults.yaml", "owners: []\n", 1, "nothing reads a file of this name; rename it to"),
    ],
)
def test_defaults_that_cannot_be_used_are_one_line_for_all_models(
    tmp_path: Path, write: Write, name: str, text: str, line: int, said: str
) -> None:
    file = write(name, text)
    write("loans/defs.yaml", SOUND)
    write("more/defs.yaml", SOUND.replace("loans", "more").replace("18200", "18201"))
    first, second = read_parts(tmp_path / "defs")
    assert [str(fault) for fault in first.faults] == [str(fault) for fault in second.faults]
    assert str(first.faults[0]).startswith(f"{file}:{line}: {said}")


def test_a_block_that_only_the_defaults_have_is_blamed_on_them(
    tmp_path: Path, write: Write
) -> None:
    file = write("defaults.yaml", "owners: []\nentity: {dtype: string}\n")
    without = "\n".join(line for line in SOUND.splitlines() if "  entity:" not in line)
    write("loans/defs.yaml", without)
    said = [str(fault) for fault in only(tmp_path).faults]
    assert f"{file}:2: entity: the key 'name' is missing; add it" in said


def test_a_port_of_the_defaults_is_a_matter_of_the_second_model(
    tmp_path: Path, write: Write
) -> None:
    write("defaults.yaml", SHARED + "deployment: {port: 18200}\n")
    first = OWN.replace("  deployment: {port: 18200}\n", "")
    write("loans/defs.yaml", first)
    file = write("more/defs.yaml", first.replace("name: loans", "name: more"))
    _, second = read_parts(tmp_path / "defs")
    assert str(second.faults[0]).startswith(f"{file}:2: deployment.port: 18200 is taken by")


def test_a_change_of_the_defaults_changes_the_code_versions_as_one_of_the_model_does(
    tmp_path: Path, write: Write
) -> None:
    def versions(shared: str, own: str) -> dict[str, str | None]:
        write("defaults.yaml", shared)
        write("loans/defs.yaml", own)
        definitions = build_model_defs(settings_of(only(tmp_path)))
        resources = dg.Definitions(resources=fake_resources(tmp_path))
        specs = dg.Definitions.merge(definitions, resources).resolve_all_asset_specs()
        return {spec.key.path[-1]: spec.code_version for spec in specs}

    before = versions(SHARED, OWN)
    split = "split: {by: time, test: 2 months}"
    after = versions(SHARED.replace("split: {by: time, test: 3 months}", split), OWN)
    assert {name for name in before if before[name] != after[name]} == {
        *("trained_model", "backtest")
    }
    assert versions(SHARED, f"{OWN}  training: {{{split}}}\n") == after


def test_what_dagster_loads_itself_is_over_the_defaults_too(tmp_path: Path, write: Write) -> None:
    write("defaults.yaml", SHARED)
    write("__init__.py", "")
    tagged = "post_processing: {assets: [{attributes: {tags: {team: credit}}}]}\n"
    write("loans/defs.yaml", OWN + tagged)
    definitions = load_models(models_package())
    found = settings_of(only(tmp_path))
    assert loaded_models(definitions)["loans"].model_dump() == found.model_dump()
    (spec,) = [s for s in definitions.assets or () if isinstance(s, dg.AssetsDefinition)][:1]
    assert {one.tags["team"] for one in spec.specs} == {"credit"}


def test_the_schema_requires_nothing_that_the_defaults_give(write: Write) -> None:
    own = yaml.safe_load(OWN)["attributes"] | {"evaluation": {"slices": ["grade"]}}
    with pytest.raises(jsonschema.ValidationError, match="is a required property"):
        jsonschema.validate(own, ProjectSettings.model_json_schema())
    write("defaults.yaml", SHARED)
    jsonschema.validate(own, ProjectSettings.model_json_schema())
    del own["source"]
    with pytest.raises(jsonschema.ValidationError, match="'source' is a required property"):
        jsonschema.validate(own, ProjectSettings.model_json_schema())


def test_check_says_a_fault_of_the_defaults_once(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlops_assets import definitions

    write("__init__.py", "")
    file = write("defaults.yaml", SHARED.replace("primary", "prime"))
    for number in range(3):
        own = OWN.replace("name: loans", f"name: m{number}").replace("18200", f"1820{number}")
        write(f"m{number}/defs.yaml", own)
    definitions._models.cache_clear()
    try:
        assert check([]) == 1
    finally:
        definitions._models.cache_clear()
    said = capsys.readouterr().err.splitlines()
    assert (
        len([line for line in said if line.startswith(f"{file}:9: evaluation.prime: unknown")]) == 1
    )
