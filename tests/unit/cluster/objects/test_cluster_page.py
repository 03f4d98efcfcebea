"""Every command of docs/how-to/kubernetes.md and of the Helm values, done to a cluster of names.

Nothing of it runs: what a command names must be there by then, made by the commands before it, and
what it applies must pass the API's schemas. A command of another kind fails until it is known here.
"""

import re
import shlex
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.http_reference import page as http_page
from jobs.asset_jobs import training_job_name
from mlops_assets.cli.parser.command_line import parse
from tests.kubernetes_api.objects import check_schema
from tests.support.servers import ROOT

PAGE = (ROOT / "docs/how-to/kubernetes.md").read_text(encoding="utf-8")
VALUES = (ROOT / "deploy/helm/values.yaml").read_text(encoding="utf-8")
LEFT_OUT = {
    "docker push": "a registry",
    "helm install": "the chart; its values are held by test_helm_values.py",
    "kind load": "a cluster of kind",
    "minikube image": "a cluster of minikube",
    "k3s ctr": "a cluster of k3s",
    "vi ~/mlops-secret.yaml": "an editor",
    "IMAGE=": "a variable of the shell",
}
"""How a command begins that needs what no test has, and what that is."""
ENDPOINTS = ("customers", "flights")
"""Whose Service, Deployment and autoscaler a training makes."""


def shown(text: str) -> list[str]:
    """The commands of the blocks of a page, line by line."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(map(textwrap.dedent, blocks)).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def inline(text: str) -> list[str]:
    """Those in the text between them."""
    return re.findall(r"`((?:kubectl|docker|helm|kind|minikube|k3s|curl) [^`]+)`", text)


def of_the_values() -> list[str]:
    head = VALUES.partition("\nglobal:")[0].replace("\\\n#", "")
    return re.findall(r"^#   (.+)$", head, re.MULTILINE)


class Names:
    """What there is, by kind and name; `do` a command to it."""

    def __init__(self) -> None:
        self.there: set[tuple[str, str]] = set()
        self.files: dict[str, Path] = {}
        """Copies outside of the repository."""
        self._verbs: dict[str, Any] = {
            "kubectl apply": self._apply,
            "kubectl create": self._create,
            "kubectl exec": self._exec,
            "kubectl rollout": self._about,
            "kubectl port-forward": self._forward,
            "kubectl describe": self._about,
            "kubectl wait": self._about,
            "kubectl get": self._about,
            "docker build": self._build,
            "cp": self._copy,
            "curl": self._ask,
        }

    def do(self, line: str) -> None:
        for command in line.partition("  # ")[0].split(" && "):
            if not any(command.startswith(begin) for begin in LEFT_OUT):
                words = shlex.split(command)
                name = " ".join(words[:2]) if words[0] in ("kubectl", "docker") else words[0]
                self._verbs[name](words)

    def _namespace(self, words: list[str]) -> None:
        if "-n" in words:
            assert ("Namespace", words[words.index("-n") + 1]) in self.there, words

    def _apply(self, words: list[str]) -> None:
        self._namespace(words)
        for option, name in pairwise(words):
            if option == "-f":
                self._make(self.files.get(name, ROOT / name))
            elif option == "-k":
                self._customize(ROOT / name)

    def _customize(self, folder: Path) -> None:
        content = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        for name in content["resources"]:
            path = folder / name
            self._customize(path) if path.is_dir() else self._make(path)

    def _make(self, file: Path) -> None:
        for one in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            check_schema(one)
            where = one["metadata"].get("namespace", "mlops")
            assert one["kind"] == "Namespace" or ("Namespace", where) in self.there, file
            self.there.add((one["kind"], one["metadata"]["name"]))

    def _create(self, words: list[str]) -> None:
        self._namespace(words)
        if len(words) > 4:
            assert words[2:4] in (["secret", "generic"], ["secret", "docker-registry"])
            self.there.add(("Secret", words[4]))

    def _about(self, words: list[str]) -> None:
        self._namespace(words)
        kinds = {"hpa": "HorizontalPodAutoscaler", "deployment": "Deployment", "service": "Service"}
        for word, name in pairwise([*words, ""]):
            kind, _, named = word.partition("/")
            if kind in kinds:
                found = named or name
                assert found == "--all" or (kinds[kind], found) in self.there, words

    def _forward(self, words: list[str]) -> None:
        self._about(words)
        assert words[-1] in ("3000", "8101")

    def _exec(self, words: list[str]) -> None:
        self._about(words[: words.index("--")])
        inside = words[words.index("--") + 1 :]
        if inside[0] == "mlops":
            verb, _ = parse(inside[1:])  # which exits where it knows no such option
            assert verb.load()
            return
        assert inside[:3] == ["dagster", "job", "launch"]
        assert inside[-1] in set(map(training_job_name, ENDPOINTS))
        for model in ENDPOINTS:  # and when it has ended
            kinds = ("Deployment", "Service", "HorizontalPodAutoscaler")
            self.there |= {(kind, model) for kind in kinds}

    def _build(self, words: list[str]) -> None:
        assert (ROOT / words[words.index("-f") + 1]).is_file()

    def _copy(self, words: list[str]) -> None:
        self.files[words[2]] = ROOT / words[1]

    def _ask(self, words: list[str]) -> None:
        path = re.sub(r"http://[^/]+", "", next(word for word in words if "://" in word))
        assert f"`{path}`" in http_page()


@pytest.mark.parametrize(
    "lines", [shown(PAGE)[:5], shown(PAGE), of_the_values()], ids=["trial", "page", "values"]
)
def test_what_the_commands_name_is_there_by_then(lines: list[str]) -> None:
    names = Names()
    names.files["~/mlops-secret.yaml"] = ROOT / "deploy/kubernetes/secret.example.yaml"
    assert len(lines) >= 4
    for line in lines:
        names.do(line)


def test_what_the_text_says_is_there_too() -> None:
    names = Names()
    for line in [*shown(PAGE), *inline(PAGE)]:
        names.do(line)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("kubectl apply -f deploy/kubernetes/secret.example.yaml", AssertionError),
        ("kubectl rollout status deployment/mlops-code", AssertionError),
        ("kubectl apply -f deploy/kubernetes/gone.yaml", FileNotFoundError),
        ("kubectl drain node-1", KeyError),
        ("terraform apply", KeyError),
    ],
)
def test_what_is_not_there_or_new_is_noticed(line: str, error: type[Exception]) -> None:
    names = Names()
    with pytest.raises(error):
        names.do(line)


def test_nothing_is_left_out_in_vain() -> None:
    said: list[Any] = [*shown(PAGE), *inline(PAGE), *of_the_values()]
    parts = [part for line in said for part in line.split(" && ")]
    for begin in LEFT_OUT:
        assert any(part.startswith(begin) for part in parts), begin
