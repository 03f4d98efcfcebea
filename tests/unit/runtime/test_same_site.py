"""Which names and pages a server takes for its own."""

import pytest

from mlops_assets.runtime.same_site import is_own_host, is_own_origin


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1:8101",
            "127.0.0.1",
            "10.4.3.2:8101",
            "[::1]:8101",
            "[fd00::7]",
            "localhost:80",
        ),
        *(
            "LOCALHOST",
            "localhost.",
            "churn.localhost:8101",
            "churn",
            "churn:8101",
            "gpu_box:80",
            "",
        ),
    ],
)
def test_addresses_and_names_without_a_dot_are_nobody_elses(host: str) -> None:
    assert is_own_host(host, ())


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8101", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("evil.example@127.0.0.1", "127.0.0.1/evil", "127.0.0.1:port", "[::1", "[::1].evil.com"),
        *("evil.example.", "127.0.0.1 evil.example", "?", "a" * 1000 + ".b", "ml.example.com.evil"),
        *("nml.example.com", "example.com", "evilexample.com"),
    ],
)
def test_every_other_name_must_be_given(host: str) -> None:
    assert not is_own_host(host, ("ml.example.com", "*.shops.example"))
    assert is_own_host(host, ("*",))


@pytest.mark.parametrize("host", ["ml.example.com:443", "ML.example.COM", "a.b.shops.example."])
def test_a_given_name_is_taken(host: str) -> None:
    assert is_own_host(host, ("ml.example.com", "*.shops.example"))


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://ml.example.com:8101", True),
        ("https://ml.example.com:8101", True),  # a proxy ended TLS
        ("https://shop.example", True),
        ("http://shop.example", False),
        ("https://shop.example.evil", False),
        ("http://ml.example.com", False),
        ("http://ml.example.com:8102", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_page_is_its_own_or_a_given_one(origin: str, own: bool) -> None:
    assert is_own_origin(origin, "ml.example.com:8101", ("https://shop.example",)) == own


def test_no_page_is_that_of_a_server_without_a_name() -> None:
    assert not is_own_origin("null", "", ())
