"""What every process has from the start on: private files, a user, a state folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.errors import ConfigError, StateError
from mlops_assets.home import home
from mlops_assets.runtime.surroundings import chosen_umask

_NAMELESS = ("unshare", "--user", "--map-user=12345", "--map-group=12345")


def said(code: str, *before: str, **environment: str) -> str:
    """What a process prints that is started with umask 022 and this environment alone."""
    command = [*before, sys.executable, "-c", f"import mlops_assets; {code}"]
    done = subprocess.run(
        command, env=environment, umask=0o022, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("environment", "mode"),
    [({}, "600"), ({"MLOPS_UMASK": "027"}, "640"), ({"MLOPS_UMASK": "no"}, "600")],
)
def test_files_are_private_from_the_import_on(
    tmp_path: Path, environment: dict[str, str], mode: str
) -> None:
    said(f"open({str(tmp_path / 'file')!r}, 'w')", **environment)
    assert f"{(tmp_path / 'file').stat().st_mode & 0o777:o}" == mode


@pytest.mark.parametrize("wrong", ["0o77x", "rw", "277", "-1", "777"])
def test_a_wrong_umask_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("MLOPS_UMASK", wrong)
    with pytest.raises(ConfigError, match=r"MLOPS_UMASK=.*write e\.g\. 077"):
        chosen_umask()


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*_NAMELESS, "true"], capture_output=True, check=False).returncode != 0,
    reason="no user namespaces here",
)
def test_a_user_id_without_an_entry_has_a_name_and_a_home() -> None:
    code = "import getpass, os, pathlib; print(os.getuid(), getpass.getuser(), pathlib.Path.home())"
    assert said(code, *_NAMELESS) == "12345 uid-12345 /nonexistent"
    named = said(code, *_NAMELESS, USER="ada", HOME="/srv/ada")
    assert named == "12345 ada /srv/ada", "what is set stays"


@pytest.mark.parametrize("sign", ["?", "%41", "%e9", "\n", "\t", "\x7f"])
def test_a_home_that_sqlite_cannot_address_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    monkeypatch.setenv("MLOPS_HOME", f"/srv/a{sign}b")
    with pytest.raises(StateError, match=r"MLOPS_HOME=.*name another folder") as caught:
        home()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", [" ", "#", "%", "%zz", "ü", "+", "&", "'", '"', ":", "a" * 200])
def test_other_signs_are_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("MLOPS_HOME", f"/srv/a{name}b/")
    assert home() == Path(f"/srv/a{name}b")


def test_a_home_is_found_as_a_shell_would_find_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/srv/ada")
    default = Path(__file__).resolve().parents[3] / ".mlops"
    found = {"~/state": Path("/srv/ada/state"), "state": tmp_path / "state", "": default}
    for named, path in found.items():
        monkeypatch.setenv("MLOPS_HOME", named)
        assert home() == path
    assert os.environ["MLOPS_HOME"] == "", "nothing is changed by asking"
