"""The workflow's jobs: what they call, what they refer to, and that the runner sees mistakes."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.support.services.workflow_runner import Runner, dangling, evaluate, read_workflow

ROOT = Path(__file__).resolve().parents[3]
CONTEXTS = {"github": {"ref": "refs/heads/main"}, "vars": {}}


def with_step(step: dict[str, Any]) -> dict[str, Any]:
    """The workflow's job `test` with another step in place of its own ones."""
    workflow = copy.deepcopy(read_workflow())
    workflow["jobs"] = {"test": workflow["jobs"]["test"] | {"steps": [step]}}
    workflow["env"] = {}
    return workflow


def run(folder: Path, step: dict[str, Any]) -> str:
    runner = Runner(folder, {"PATH": "/usr/bin:/bin"}, CONTEXTS, actions={})
    return runner.run(with_step(step), {})["test"]


def test_the_test_job_is_the_gate_whose_last_command_is_the_readme_s() -> None:
    commands = [step["run"] for step in read_workflow()["jobs"]["test"]["steps"] if "run" in step]
    assert commands == [".ci/run"]
    last = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert last == 'make "${1:-test}"'
    assert "`make test` runs the linters" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_need_step_and_output_exists() -> None:
    assert dangling(read_workflow()) == []


@pytest.mark.parametrize(
    ("job", "missing"),
    [
        ({"needs": "tests"}, "deploy-staging needs tests"),
        ({"if": "${{ needs.test.result }}"}, "deploy-staging names needs.test.result"),
        ({"if": "${{ needs.train.outputs.x }}"}, "deploy-staging names needs.train.outputs.x"),
        ({"env": {"A": "${{ steps.x.outputs.y }}"}}, "deploy-staging names steps.x.outputs.y"),
    ],
)
def test_a_reference_to_nothing_is_found(job: dict[str, Any], missing: str) -> None:
    workflow = copy.deepcopy(read_workflow())
    workflow["jobs"]["deploy-staging"] |= job
    assert missing in dangling(workflow)


def test_an_output_that_exists_is_not_reported() -> None:
    workflow = copy.deepcopy(read_workflow())
    workflow["jobs"]["train"]["outputs"] = {"x": "1"}
    workflow["jobs"]["deploy-staging"]["if"] = "${{ needs.train.outputs.x && needs.train.result }}"
    assert dangling(workflow) == []


def test_a_pull_request_is_not_deployed(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {}, {"github": {"ref": "refs/pull/1/merge"}}, actions={})
    done = {"test": "success", "train": "success"}
    assert runner.run(read_workflow(), done) == done | {"deploy-staging": "skipped"}


def test_only_main_trains_on_the_user_s_machine_and_store() -> None:
    home, uri = {"MLOPS_HOME": "/srv/mlops"}, {"MLFLOW_TRACKING_URI": "https://mlflow.ours"}
    artifacts = {"MLFLOW_ARTIFACTS": "mlflow-artifacts:///mlops"}
    variables = {"MLOPS_RUNNER": "staging", **home, **artifacts}
    train = read_workflow()["jobs"]["train"]
    (training,) = (step for step in train["steps"] if "run" in step)
    settings = {"runs-on": train["runs-on"], **train["env"], **training["env"]}

    def at(ref: str) -> dict[str, str]:
        github = {"ref": ref, "workspace": "/project"}
        contexts = {"github": github, "vars": variables, "secrets": uri}
        return {name: evaluate(text[3:-2], contexts) for name, text in settings.items()}

    main, branch = at("refs/heads/main"), at("refs/pull/1/merge")
    assert main.items() >= {"runs-on": "staging", **home, **artifacts, **uri}.items()
    assert (branch["runs-on"], branch["MLOPS_HOME"]) == ("ubuntu-latest", "/project/.mlops")
    assert branch["MLFLOW_ARTIFACTS"] == branch["MLFLOW_TRACKING_URI"] == ""


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("true", "success"),
        ("false | true", "failure"),
        ('echo "', "failure"),
        ("nothing-such", "failure"),
    ],
)
def test_a_step_runs_as_github_runs_it(tmp_path: Path, command: str, result: str) -> None:
    assert run(tmp_path, {"run": command}) == result


@pytest.mark.parametrize(
    "step",
    [
        {"run": "true", "env": {"A": "${{ github.reff }}"}},
        {"run": "true", "if": "${{ runner.os == 'Linux' }}"},
        {"run": "true", "if": "${{ mistake() }}"},
        {"run": "true", "if": "github.ref"},
        {"uses": "actions/unknown@v1"},
    ],
    ids=str,
)
def test_what_nobody_knows_is_an_error(tmp_path: Path, step: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        run(tmp_path, step)


def test_expressions_mean_what_they_mean_on_github() -> None:
    assert evaluate("github.ref == 'refs/heads/main' && vars.HOME || 'x'", CONTEXTS) == "x"
    assert evaluate("!vars.HOME && github.ref != 'refs/heads/main'", CONTEXTS) is False
    assert evaluate("format('{0}/.mlops', github.ref)", CONTEXTS) == "refs/heads/main/.mlops"
    with pytest.raises(SyntaxError):
        evaluate("github.ref ==", CONTEXTS)
    with pytest.raises(SyntaxError):
        evaluate("github.ref ~ 'x'", CONTEXTS)
