"""What MLOPS_BUCKET may say, and what is below it."""

import pytest

from mlops_assets.errors import ConfigError
from mlops_assets.home import BUCKET, bucket


@pytest.mark.parametrize("named", ["s3://shop", "s3://shop/", "s3://shop/a/b-c", "s3://shop/a/"])
def test_a_folder_of_it_is_below_the_prefix(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv(BUCKET, named)
    assert bucket("dvc") == f"{named.rstrip('/')}/dvc"
    assert bucket() == named.rstrip("/")


@pytest.mark.parametrize("named", ["", None])
def test_without_one_there_is_no_address(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.delenv(BUCKET, raising=False)
    if named is not None:
        monkeypatch.setenv(BUCKET, named)
    assert bucket("dvc") == bucket() == ""


@pytest.mark.parametrize(
    "named",
    ["shop", "gs://shop", "s3://", "s3://shop//a", "s3://shop/a b", "s3://shop?x=1", "s3://shop#a"],
)
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv(BUCKET, named)
    with pytest.raises(ConfigError, match="write s3://NAME/PREFIX"):
        bucket()


def test_a_secret_in_the_address_is_refused_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BUCKET, "s3://AKIA:wJal/rX+Utn@shop/a")
    with pytest.raises(ConfigError) as caught:
        bucket()
    assert "wJal" not in str(caught.value)
    assert "Utn" not in str(caught.value)
