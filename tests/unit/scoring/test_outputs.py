"""`mlops score` writes over no file that it reads, and says which limit the bad rows are above."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_assets.cli.scoring.verb import _require_new, _require_writable, remarks
from mlops_assets.errors import ConfigError
from mlops_assets.records.scoring import BatchSummary


@pytest.mark.parametrize("output", ["in.parquet", "sub/../in.parquet", "link/in.parquet"])
def test_an_input_is_no_output_however_it_is_spelled(output: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    file = tmp_path / "in.parquet"
    file.write_text("rows")
    with pytest.raises(ConfigError, match=r"in\.parquet is an input file, and would be lost; name"):
        _require_new(tmp_path / output, [tmp_path / "other.parquet", file], "an input file")
    _require_new(tmp_path / "out.parquet", [file], "an input file")


def test_the_quarantine_is_an_output_too(tmp_path: Path) -> None:
    file = tmp_path / "out.quarantine.parquet"
    file.write_text("rows")
    with pytest.raises(ConfigError, match=r"out\.quarantine\.parquet is an input file"):
        _require_new(tmp_path / "out.parquet", [file], "an input file")


def test_a_folder_that_takes_no_file_is_told_by_the_option() -> None:
    with pytest.raises(ConfigError, match=r"^--output .*/x\.parquet: no file can be made in /sys "):
        _require_writable(Path("/sys/x.parquet"))


def test_who_gets_exit_code_1_is_told_the_limit() -> None:
    summary = BatchSummary(
        model="shop",
        model_version=1,
        batch="b",
        scored_at=datetime(2026, 1, 1, tzinfo=UTC),
        rows=1_998,
        quarantined=2,
        reasons={"n.min": 2},
        exceeded="contract.max_bad_fraction: 0.0005",
        logged=0,
        output="o.parquet",
        quarantine="o.quarantine.parquet",
        ignored=(),
    )
    assert remarks(summary)[1] == (
        "shop: 2 of 2,000 rows are more than `contract.max_bad_fraction: 0.0005` allows, so the "
        "exit code is 1; correct them, or change that"
    )
