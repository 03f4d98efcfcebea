"""No secret of an address reaches a text, and an address without one stays as it is."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlops_assets.errors import MlopsError, TrackingError
from mlops_assets.redaction import forget_secrets, without_secrets

SECRET = "zzSECRETzz"


@pytest.mark.parametrize(
    "text",
    [
        f"http://u:{SECRET}@mlflow:5000 refused",
        f"https://{SECRET}@github.com/x",
        f"postgresql+psycopg2://mlflow:{SECRET}@db/mlflow",
        f"'postgresql://mlflow:a/{SECRET}?#@db:5432/mlflow'",
        f"mysql://u:p@{SECRET}@db/x",
        f"redis://:{SECRET}@redis:6379/0",
        f"redis:6379,password={SECRET},ssl=true",
        f"smtps://ada%40example.com:{SECRET}@mail:465",
        f"s3://bucket/key?X-Amz-Signature={SECRET}&X-Amz-Date=1",
        f"https://x.blob.core.windows.net/c?sv=1&sig={SECRET}",
        f"postgresql://db/x?user=ada&password={SECRET}",
        f'dsn: host=db password="{SECRET} {SECRET}" user=ada',
        f"aws_secret_access_key = {SECRET}",
        f"two: http://a:{SECRET}@b/ and http://c:{SECRET}@d/",
        f"http://u:123{SECRET}@h",
        f"http://u:12a/{SECRET}@h",
    ],
)
def test_the_secret_of_an_address_is_hidden(text: str) -> None:
    hidden = without_secrets(text)
    assert SECRET not in hidden
    assert "***" in hidden
    assert SECRET not in str(TrackingError(f"it failed: {text}"))


@pytest.mark.parametrize(
    "text",
    [
        "http://mlflow:5000/api?mail=ada@example.com",
        "no MLflow server answers at mlflow:5000 ([Errno 111] Connection refused); start it",
        "sqlite:////srv/state/mlflow.db",
        "package://lifetimes/datasets/CDNOW_master.txt",
        "http://[::1]:8101/x@y",
        "source 's3://bucket/a:b': s3:// is not read directly",
        "run `mlops promote MODEL VERSION --why TEXT`; version=3, C=1.5",
        "columns ['token', 'password'] are missing",
        "runs:/abc@champion models:/customers@champion",
    ],
)
def test_what_holds_none_is_left_as_it_is(text: str) -> None:
    assert without_secrets(text) == text
    assert str(MlopsError(text)) == text


SIGNS = st.characters(exclude_categories=["Z", "C"], exclude_characters="'\"\\")


@given(st.text(SIGNS, min_size=6))
def test_any_password_is_hidden(password: str) -> None:
    assume(not password[0].isdigit())  # what begins as a port cannot be told from one
    text = without_secrets(f"cannot reach https://ada:{password}@db.example/x: refused")
    assert text == "cannot reach https://ada:***@db.example/x: refused"


def test_what_an_error_was_raised_from_forgets_it_too() -> None:
    outer = RuntimeError(f"http://u:{SECRET}@h", 7)
    outer.__cause__ = ValueError(f"no such host: http://u:{SECRET}@h")

    forget_secrets(outer)

    assert outer.args == ("http://u:***@h", 7)
    assert str(outer.__cause__) == "no such host: http://u:***@h"
