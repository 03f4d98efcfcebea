"""When a trial in a cluster counts as left behind."""

import os
import time
from pathlib import Path

import pytest

from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import DEPLOY_LOCK, TRIAL_FILE
from mlops_assets.runtime.atomic import exclusive
from resources.cluster.trial.state import is_abandoned, read_trial


@pytest.mark.parametrize(("age", "abandoned"), [(100, False), (200, True)])
def test_it_is_left_when_nobody_waited_for_some_time(
    tmp_path: Path, age: int, abandoned: bool
) -> None:
    assert not is_abandoned(tmp_path), "there is none"
    (tmp_path / TRIAL_FILE).touch()
    os.utime(tmp_path / TRIAL_FILE, (0, time.time() - age))
    assert is_abandoned(tmp_path) is abandoned
    with exclusive(tmp_path / DEPLOY_LOCK):
        assert not is_abandoned(tmp_path), "a step takes long to begin"
    assert is_abandoned(tmp_path) is abandoned


def test_a_damaged_one_names_what_to_delete(tmp_path: Path) -> None:
    (tmp_path / TRIAL_FILE).write_text("{")
    with pytest.raises(DeploymentError, match=r"trial\.json is damaged.*names end with --c"):
        read_trial(tmp_path)
