"""Whatever answers at an address, a message that was not taken is one sentence without a secret."""

import pytest

from mlops_assets.errors import AlertError
from resources.alerts import Alerts
from tests.worlds.peers import ANSWERS, peer

SECRET = "s3cret-t0ken"


@pytest.mark.parametrize("behaviour", ANSWERS)
@pytest.mark.parametrize("address", ["webhook", "email"])
def test_a_peer_that_does_not_behave_is_named_and_no_secret_is(
    address: str, behaviour: str
) -> None:
    with peer(ANSWERS[behaviour]) as port:
        alerts = Alerts(
            webhook=f"http://127.0.0.1:{port}/hooks/{SECRET}",
            smtp=f"smtp://ada:{SECRET}@127.0.0.1:{port}",
            email_to="team@example.org",
        )
        if address == "webhook" and behaviour in ("short body", "bad length"):
            alerts.send(address, "a training failed")  # its status says that it was taken
            return
        with pytest.raises(AlertError) as said:
            alerts.send(address, "a training failed")

    assert "127.0.0.1" in str(said.value)
    assert SECRET not in str(said.value)
    assert said.value.__cause__ is None
    assert "\n" not in str(said.value)
