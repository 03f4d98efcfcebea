"""`deploy/docker/Dockerfile`: the image holds what manifests and wheel need, and no more."""

import re
import tomllib

from mlops_assets.runtime.telemetry import SWITCHES
from tests.unit.cluster.objects.test_cluster_manifests import LAUNCHER, ROOT


def test_the_image_holds_what_the_manifests_need() -> None:
    image = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
    assert "--uid 10001" in image
    assert "USER 10001" in image
    for name in ("mlops_assets", "resources", "sensors", "jobs"):
        assert f"COPY {name} {name}\n" in image
    assert "COPY --from=packages /opt/mlops/app /opt/mlops/app" in image
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in image.splitlines() if line.startswith("COPY ")]
    files = [line for line in copied if not line[0].startswith("--from")]
    sources = {source for line in files for source in line}
    assert {f"!{source}" for source in sources} <= set(ignored)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["force-include"], *wheel["packages"]} <= sources, "or no image is built"
    (state,) = (one["mountPath"] for one in LAUNCHER["volume_mounts"] if one["name"] == "state")
    assert f"MLOPS_HOME={state}" in image
    assert f"DAGSTER_HOME={LAUNCHER['dagster_home']}" in image
    for name, value in SWITCHES.items():
        assert f" {name}={value}" in image, name


def test_the_image_has_the_command_and_no_tool_of_development() -> None:
    image = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(re.findall(r"--extra (\w+)", image))
    apart = {"dev", "polars", "spark"}  # of notebooks; 400 MB and Java, for an image of their own
    assert extras == set(project["optional-dependencies"]) - apart
    assert "--constraints requirements.lock -r pyproject.toml" in " ".join(image.split())
    assert "pip sync" not in image
    assert "--editable ." in image
    assert "mlops" in project["scripts"]
