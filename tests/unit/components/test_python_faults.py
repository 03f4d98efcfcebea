"""What a YAML names in Python is found before a run, in the line where it stands."""

from pathlib import Path

import pytest

from mlops_assets.cli.facts.checks import disputes, look_at_source, python_faults
from mlops_assets.components.model_files import ReadModel, read_parts
from tests.support.tables.yaml_faults import SOUND

LOADER = """
def load(): ...
def takes(x): ...
rows = []
"""


def model(folder: Path, old: str = "", new: str = "") -> ReadModel:
    assert old in SOUND
    (folder / "loans").mkdir()
    (folder / "loans" / "defs.yaml").write_text(SOUND.replace(old, new) if old else SOUND)
    (part,) = read_parts(folder)
    (read,) = part.models
    return read


def test_a_sound_model_has_none(tmp_path: Path) -> None:
    assert list(python_faults(model(tmp_path))) == []


def test_a_source_of_which_no_file_is_here_is_told_in_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    read = model(tmp_path, URI, "uri: data/*.csv")
    _, (note,) = look_at_source(read)
    assert note.place.endswith("defs.yaml:5")
    assert f"no file matches {tmp_path}/data/*.csv" in note.said
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    assert not look_at_source(read).notes


ESTIMATOR = "sklearn.linear_model.LogisticRegression"
SPLIT = "split: {by: time"
TUNED = "sklearn.model_selection.FixedThresholdClassifier"
BAGGING = "sklearn.ensemble.BaggingClassifier"
SQUARES = "{estimator: {estimator: sklearn.linear_model.RidgeClassifier}}"
VOTERS = f"{{estimators: [[one, {{estimator: {ESTIMATOR}}}]]}}"
URI = "uri: loans.csv"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (
            ESTIMATOR,
            "sklearn.linear_model.LogisticRegresion",
            19,
            "did you mean 'LogisticRegression'",
        ),
        (
            ESTIMATOR,
            "sklearn.linear_mdel.LogisticRegression",
            19,
            "cannot import 'sklearn.linear_mdel'",
        ),
        (ESTIMATOR, "no_such.Model", 19, "is installed"),
        (
            ESTIMATOR,
            "sklearn.svm.LinearSVC",
            19,
            "CalibratedClassifierCV with params: {estimator: {",
        ),
        (ESTIMATOR, "sklearn.linear_model.SGDClassifier", 19, "set `loss: log_loss`"),
        (ESTIMATOR, f"sklearn.ensemble.VotingClassifier\n    params: {VOTERS}", 19, "voting: soft"),
        (ESTIMATOR, f"{TUNED}\n    params: {SQUARES}", 19, "in its parameters be one with"),
        (ESTIMATOR, "sklearn.linear_model.Ridge", 19, "a classifier with predict_proba"),
        (
            ESTIMATOR,
            f"{BAGGING}\n    params: {{estimator:\n      {{estimator: no_such.Model}}}}",
            21,
            "cannot import 'no_such'",
        ),
        (ESTIMATOR, "math.pi", 19, "is no class"),
        (ESTIMATOR, "collections.OrderedDict", 19, "has no method fit"),
        (SPLIT, f"params: {{c: 1}}\n    {SPLIT}", 20, "training.params.c: "),
        (SPLIT, f"params: {{max_itr: 1}}\n    {SPLIT}", 20, "did you mean 'max_iter'?"),
        (SPLIT, f"params: {{C: -1}}\n    {SPLIT}", 20, "training.params.C: "),
        (SPLIT, f"params: {{C: 1e-3}}\n    {SPLIT}", 20, "Got '1e-3' instead; correct it"),
        (
            SPLIT,
            f"tune:\n      params: {{c: {{type: int, low: 1, high: 2}}}}\n    {SPLIT}",
            21,
            "has no parameters ['c']",
        ),
        (URI, "loader: user_code.laod", 5, "did you mean 'load'?"),
        (URI, "loader: no_such.load", 5, "cannot import 'no_such'"),
        (URI, "loader: user_code.takes", 5, "cannot be called without arguments"),
        (URI, "loader: user_code.rows", 5, "cannot be called without arguments"),
        (
            URI,
            "loader: raises_here.load",
            5,
            "raised ZeroDivisionError: division by zero; correct it",
        ),
        (URI, "loader: no_python.load", 5, "raised SyntaxError"),
    ],
)
def test_what_python_cannot_find_or_build_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    line: int,
    said: str,
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "user_code.py").write_text(LOADER)
    (code / "raises_here.py").write_text("1 / 0\n")
    (code / "no_python.py").write_text("def load(:\n")
    monkeypatch.syspath_prepend(str(code))
    defs = tmp_path / "defs"
    defs.mkdir()
    (fault,) = python_faults(model(defs, old, new))
    assert fault.line == line
    assert said in str(fault)
    assert "; " in fault.said
    assert "\n" not in str(fault)


def test_a_port_that_another_file_claims_too_is_said_of_the_model_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlops.yaml").touch()
    defs = tmp_path / "defs"
    for folder in ("loans", "other"):
        (defs / folder).mkdir(parents=True)
        text = SOUND.replace("name: loans", f"name: {folder}")
        (defs / folder / "defs.yaml").write_text(text)
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path))
    monkeypatch.setenv("MLOPS_ENDPOINTS", str(tmp_path / "endpoints"))
    ((model, (fault,)),) = disputes().items()
    assert model == "loans"
    assert str(fault).startswith(f"{defs}/loans/defs.yaml:23: deployment.port: 18200 is claimed")
    assert f"the model other of {defs}/other/defs.yaml:23 too; " in str(fault)
