"""Jobs of a GitHub Actions workflow, run here: each `run:` by bash, called as GitHub calls it.

Each `uses:` needs a stand-in and each name in an expression a value: what is unknown is an error.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Contexts = Mapping[str, Mapping[str, str]]
"""What expressions may name, e.g. `github.ref`."""
Action = Callable[[dict[str, str]], object]
"""The stand-in of an action; gets its `with:`."""

WORKFLOW = Path(__file__).resolve().parents[3] / ".github" / "workflows" / "ml-pipeline.yml"
_BASH = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_TOKEN = re.compile(r"\s*('[^']*'|&&|\|\||==|!=|[!(),]|[A-Za-z_][\w.-]*)\s*")
_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "format": "format_"}
_MAY_LACK = ("inputs", "secrets", "vars")
"""Contexts in which a name without a value stands for an empty text."""


def read_workflow() -> dict[str, Any]:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


def dangling(workflow: Mapping[str, Any]) -> list[str]:
    """References to jobs, steps and outputs that are not there; the schema lets them pass."""
    jobs, missing = workflow["jobs"], []
    for name, job in jobs.items():
        needs = needed(job)
        missing += [f"{name} needs {need}" for need in needs if need not in jobs]
        outputs = {
            f"needs.{n}.outputs.{o}" for n in needs for o in jobs.get(n, {}).get("outputs", {})
        }
        known = outputs | {f"needs.{need}.result" for need in needs}
        steps = {f"steps.{step['id']}" for step in job["steps"] if "id" in step}
        for named in re.findall(r"\b(?:needs|steps)\.[\w.-]+", yaml.safe_dump(job, width=9999)):
            if named not in known and ".".join(named.split(".")[:2]) not in steps:
                missing.append(f"{name} names {named}")
    return missing


def needed(job: Mapping[str, Any]) -> list[str]:
    """The jobs that must have succeeded before."""
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def evaluate(expression: str, contexts: Contexts) -> Any:
    """The value of what stands in `${{ }}`.

    Raises:
        KeyError: A name has no value.
        SyntaxError: It is no expression.
    """
    position, python = 0, []
    while position < len(expression.rstrip()):
        if (token := _TOKEN.match(expression, position)) is None:
            raise SyntaxError(f"not an expression: {expression}")
        word, position = token[1], token.end()
        named = "." in word and not word.startswith("'")
        python.append(f"named({word!r})" if named else _PYTHON.get(word, word))

    def named(path: str) -> str:
        context, _, name = path.partition(".")
        values = contexts[context]
        return values.get(name, "") if context in _MAY_LACK else values[name]

    names = {"__builtins__": {}, "named": named, "format_": lambda text, *args: text.format(*args)}
    try:
        return eval("".join(python), names)
    except NameError as err:
        raise KeyError(str(err)) from err


@dataclass(frozen=True)
class Runner:
    """A machine for jobs, with what its expressions, actions and commands find there."""

    workspace: Path
    environment: Mapping[str, str]
    contexts: Contexts
    actions: Mapping[str, Action]
    log: list[str] = field(default_factory=list)
    """What each step printed."""

    @property
    def summary(self) -> Path:
        return self.workspace.parent / "summary.md"

    def run(self, workflow: Mapping[str, Any], results: Mapping[str, str]) -> dict[str, str]:
        """Run all jobs but those that have a result already; the result of each."""
        found = dict(results)
        for name, job in workflow["jobs"].items():
            if name not in found:
                ready = all(found[need] == "success" for need in needed(job))
                runs = ready and self._holds(job, self.contexts)
                found[name] = self._job(workflow, job) if runs else "skipped"
        return found

    def _job(self, workflow: Mapping[str, Any], job: Mapping[str, Any]) -> str:
        assert workflow["defaults"]["run"]["shell"] == "bash"
        self._filled({"runs-on": job["runs-on"]}, self.contexts)  # raises for an unknown name
        env = self._filled(workflow["env"] | job.get("env", {}), self.contexts)
        contexts = {**self.contexts, "env": env}
        for step in filter(lambda step: self._holds(step, contexts), job["steps"]):
            if "uses" in step:
                action = self.actions[step["uses"].partition("@")[0]]
                action(self._filled(step.get("with", {}), contexts))
            elif not self._command(step["run"], env | self._filled(step.get("env", {}), contexts)):
                return "failure"
        return "success"

    def _command(self, command: str, env: Mapping[str, str]) -> bool:
        assert "${{" not in command, "a value in a script could be a command; hand it over by env"
        given = {**self.environment, **env, "GITHUB_STEP_SUMMARY": str(self.summary)}
        done = subprocess.run(
            [*_BASH, command],
            cwd=self.workspace,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        self.log.append(done.stdout)
        return done.returncode == 0

    def _holds(self, part: Mapping[str, Any], contexts: Contexts) -> bool:
        (value,) = self._filled({"if": part.get("if", True)}, contexts).values()
        return {"True": True, "False": False}[value]

    def _filled(self, texts: Mapping[str, Any], contexts: Contexts) -> dict[str, str]:
        return {
            name: _EXPRESSION.sub(lambda found: str(evaluate(found[1], contexts)), str(text))
            for name, text in texts.items()
        }
