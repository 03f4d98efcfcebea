"""What the verb takes."""

import pytest

from mlops_assets.cli.main import main


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--windows", "2", "'2' is no number of windows from 3 to 24"),
        ("--windows", "many", "'many' is no number of windows from 3 to 24"),
        ("--window", "a while", "'a while' is no length like '2 weeks' or '1 month'"),
    ],
)
def test_a_wrong_option_is_named(
    option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["backtest", "loans", option, value])
    assert said in capsys.readouterr().err
