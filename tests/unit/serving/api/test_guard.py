"""The layer before the application: keys, rates, slow bodies and answers, how many at once."""

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mlops_assets.blocks.operation import DeploymentSettings, RateLimitSettings
from mlops_assets.errors import ConfigError
from mlops_assets.records.serving import EndpointLimits, Manifest
from mlops_assets.serving.api.guard import (
    BUFFERED_BYTES,
    OPEN_PATHS,
    UNLOGGED,
    WRONG_KEYS,
    App,
    Guard,
)
from mlops_assets.serving.api.openapi import DOCS_PAGE, openapi_document
from mlops_assets.serving.api.rates import Buckets
from mlops_assets.serving.wire.http import TEXT, RequestError, read_body, send_bytes, send_error
from resources.endpoints import api_keys
from tests.support.served.served_models import build, no_online

KEY = "a key"
WITH_KEYS = EndpointLimits(key_digests=(api_keys.digest("other"), api_keys.digest(KEY)))


class Guarded(Guard):
    """A guard that remembers what it counted."""

    def __init__(self, app: App, limits: Callable[[], EndpointLimits | None]) -> None:
        self.counted: list[int] = []
        super().__init__(app, limits, lambda _, err: self.counted.append(err.status), Buckets())


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers the body's length; refuses as the real application does."""
    try:
        body = await read_body(scope, receive, 10**9) if scope["method"] == "POST" else b""
    except RequestError as err:
        await send_error(send, err)
    else:
        await send_bytes(send, 200, str(len(body)).encode(), TEXT)


class Answer:
    def __init__(self, sent: list[dict]) -> None:
        start, body = sent
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.text = body["body"].decode()

    @property
    def code(self) -> str:
        return json.loads(self.text)["error"]["code"]


async def ask(
    guard: Guard,
    path: str = "/predict",
    *,
    method: str = "POST",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    client: str = "10.0.0.1",
    receive: Callable[[], Awaitable[dict]] | None = None,
) -> Answer:
    sent: list[dict] = []

    async def whole() -> dict:
        return {"type": "http.request", "body": b"12345", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "headers": list(headers),
        "client": (client, 1),
    }  # fmt: skip
    await guard(scope, receive or whole, send)
    return Answer(sent)


def run(guard: Guard, **asked: Any) -> Answer:
    return asyncio.run(ask(guard, **asked))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 401),
        (((b"x-api-key", b"wrong"),), 401),
        (((b"x-api-key", b""),), 401),
        (((b"x-api-key", api_keys.digest(KEY).encode()),), 401),
        (((b"authorization", b"Basic a key"),), 401),
        (((b"authorization", b"Bearer \xff\xfe"),), 401),
        (((b"x-api-key", KEY.encode()),), 200),
        (((b"authorization", b"Bearer a key"),), 200),
        (((b"authorization", b"bearer  a key"),), 200),
    ],
)
def test_only_a_known_key_opens(headers: tuple, status: int) -> None:
    guard = Guarded(echo, lambda: WITH_KEYS)
    answer = run(guard, headers=headers)
    assert answer.status == status
    if status == 401:
        assert (answer.code, answer.headers["www-authenticate"]) == ("unauthorized", "Bearer")
    assert guard.counted == [status] * (status == 401)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs", "/"])
def test_health_metrics_and_the_page_need_no_key(path: str) -> None:
    assert run(Guarded(echo, lambda: WITH_KEYS), path=path, method="GET").status == 200


@pytest.mark.parametrize("path", ["/model", "/openapi.json", "/predict", "/livez/", "//metrics"])
def test_everything_else_does(path: str) -> None:
    assert run(Guarded(echo, lambda: WITH_KEYS), path=path, method="GET").status == 401


def test_each_client_has_its_own_rate_and_is_told_when_to_come_again() -> None:
    limits = EndpointLimits(rate_limit=RateLimitSettings(per_second=0.1, burst=2))
    guard = Guarded(echo, lambda: limits)

    assert [run(guard).status for _ in range(3)] == [200, 200, 429]
    refused = run(guard)
    assert refused.code == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert run(guard, client="10.0.0.2").status == 200
    assert guard.counted == [429, 429]


def test_the_deployer_is_not_limited_in_number_but_needs_its_key() -> None:
    limits = EndpointLimits(
        rate_limit=RateLimitSettings(per_second=0.1, burst=1),
        key_digests=(api_keys.digest(KEY),),
        operator_digest=api_keys.digest("operator"),
    )
    guard = Guarded(echo, lambda: limits)

    own = ((b"x-api-key", b"operator"),)
    assert [run(guard, headers=own).status for _ in range(5)] == [200] * 5
    assert run(guard).status == 401


def test_only_the_deployer_may_ask_past_the_log() -> None:
    unlogged: list[bool] = []

    async def remember(scope: Any, receive: Any, send: Any) -> None:
        unlogged.append(bool(scope.get("unlogged")))
        await send_bytes(send, 200, b"", TEXT)

    operator = api_keys.digest("operator")
    limits = EndpointLimits(key_digests=WITH_KEYS.key_digests, operator_digest=operator)
    for key in ("operator", KEY):
        for header in ((UNLOGGED,), ()):
            asked = ((b"x-api-key", key.encode()), *header)
            assert run(Guarded(remember, lambda: limits), headers=asked).status == 200

    assert unlogged == [True, False, False, False]


def test_a_slow_body_is_refused_in_time_and_the_connection_closed() -> None:
    async def trickle() -> dict:
        await asyncio.sleep(0.3)
        return {"type": "http.request", "body": b" ", "more_body": True}

    guard = Guarded(echo, lambda: EndpointLimits(body_timeout="1s"))
    answer = run(guard, receive=trickle)

    assert (answer.status, answer.code) == (408, "body_too_slow")
    assert answer.headers["connection"] == "close"
    assert (guard.running, guard.buffered, guard.counted) == (0, 0, [408])


def test_a_slow_answer_is_refused_in_time() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.sleep(30)

    guard = Guarded(slow, lambda: EndpointLimits(request_timeout="1s"))
    answer = run(guard)

    assert (answer.status, answer.code) == (504, "timeout")
    assert (guard.running, guard.counted) == (0, [504])


def test_slow_bodies_take_no_place_among_those_that_run() -> None:
    release = None

    async def held(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await release.wait()
        await send_bytes(send, 200, b"", TEXT)

    async def never() -> dict:
        await asyncio.sleep(60)
        return {}

    async def scenario() -> None:
        nonlocal release
        release = asyncio.Event()
        guard = Guarded(held, lambda: EndpointLimits(max_concurrent=2))
        slow = [asyncio.ensure_future(ask(guard, receive=never)) for _ in range(50)]
        quick = [asyncio.ensure_future(ask(guard)) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert guard.running == 2
        refused = await ask(guard, method="GET", path="/model")
        assert (refused.status, refused.code) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        release.set()
        assert [(await one).status for one in quick] == [200, 200]
        assert (await ask(guard)).status == 200
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert guard.running == 0

    asyncio.run(scenario())


def test_bodies_that_wait_cannot_fill_the_memory() -> None:
    part = b" " * (BUFFERED_BYTES // 10)

    async def endless() -> dict:
        return {"type": "http.request", "body": part, "more_body": True}

    guard = Guarded(echo, lambda: EndpointLimits())
    answer = run(guard, receive=endless)

    assert (answer.status, answer.code) == (503, "overloaded")
    assert guard.buffered == 0


def test_digests_come_from_the_variable_and_nothing_of_it_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = DeploymentSettings.model_validate({"port": 3000, "api_keys": {"env": "TOY_KEYS"}})
    with pytest.raises(ConfigError, match="TOY_KEYS, which is not set"):
        api_keys.limits(settings, tmp_path)

    monkeypatch.setenv("TOY_KEYS", f"{api_keys.digest(KEY)}, in plain")
    with pytest.raises(ConfigError, match=r"entries \[2\] are no SHA-256") as refused:
        api_keys.limits(settings, tmp_path)
    assert "plain" not in str(refused.value)

    monkeypatch.setenv("TOY_KEYS", f" {api_keys.digest(KEY).upper()},")
    assert api_keys.limits(settings, tmp_path).key_digests == (api_keys.digest(KEY),)


def test_the_deployers_key_is_its_users_alone_and_stays(tmp_path: Path) -> None:
    key = api_keys.operator_key(tmp_path)

    assert api_keys.operator_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / api_keys.OPERATOR_KEY).stat().st_mode) == 0o600
    assert key not in {api_keys.new_key() for _ in range(10)}


def described(tmp_path: Path, limits: EndpointLimits) -> dict[str, Any]:
    manifest = Manifest(
        generation=1, model_name="toy", model_version=1, folder="", previous=None,
        online=no_online(), max_rows=5, max_body_bytes=1000, limits=limits,
    )  # fmt: skip
    return openapi_document(build(tmp_path).servable, manifest)


def test_the_document_names_the_refusals_that_are_configured(tmp_path: Path) -> None:
    limited = EndpointLimits(
        key_digests=("0" * 64,), rate_limit=RateLimitSettings(per_second=1, burst=1)
    )
    for limits, configured in ((EndpointLimits(), False), (limited, True)):
        document = described(tmp_path, limits)
        for path, methods in document["paths"].items():
            (operation,) = methods.values()
            guarded = configured and path not in OPEN_PATHS
            assert ({"401", "429"} <= operation["responses"].keys()) == guarded, path
            assert ("security" in operation) == (path in OPEN_PATHS), path
        assert ("security" in document) == configured


def test_the_page_asks_nobody_else() -> None:
    assert b"://" not in DOCS_PAGE
    assert b"default-src 'none'" in DOCS_PAGE


def from_page(origin: str, host: str = "127.0.0.1:8101") -> tuple[tuple[bytes, bytes], ...]:
    return ((b"host", host.encode()), (b"origin", origin.encode()))


@pytest.mark.parametrize("path", ["/predict", "/predict_features", "/model", "/metrics", "/docs"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (from_page("http://evil.example"), "foreign_origin"),
        (from_page("null"), "foreign_origin"),
        (from_page("http://127.0.0.1:3000"), "foreign_origin"),  # another server of this machine
        (from_page("http://evil.example:8101", "evil.example:8101"), "foreign_host"),
        (((b"host", b"evil.example"),), "foreign_host"),
    ],
)
def test_foreign_pages_and_names_are_refused(path: str, headers: tuple, code: str) -> None:
    guard = Guarded(echo, lambda: EndpointLimits())
    answer = run(guard, path=path, headers=headers)
    assert (answer.status, answer.code) == (403, code)
    assert "access-control-allow-origin" not in answer.headers
    assert guard.counted == [403]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_ask_under_any_name(path: str) -> None:
    headers = from_page("http://evil.example", "evil.example")
    assert (
        run(Guarded(echo, lambda: WITH_KEYS), path=path, method="GET", headers=headers).status
        == 200
    )


def test_a_given_page_may_ask_and_read_the_answer() -> None:
    limits = EndpointLimits(origins=("https://shop.example",), hosts=("ml.example.com",))
    guard = Guarded(echo, lambda: limits)
    asked = from_page("https://shop.example", "ml.example.com")

    answer = run(guard, headers=asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    before = ((b"access-control-request-method", b"POST"),)
    before += ((b"access-control-request-headers", b"content-type, x-api-key"),)
    assert run(guard, method="OPTIONS", headers=(*asked, *before)).status == 200
    assert run(guard, headers=from_page("https://shop.example.evil")).code == "foreign_origin"


def test_the_deployer_asks_under_whatever_name_its_cluster_gives() -> None:
    limits = EndpointLimits(operator_digest=api_keys.digest("operator"))
    headers = ((b"host", b"toy-mlops.example.com"), (b"x-api-key", b"operator"))
    assert run(Guarded(echo, lambda: limits), headers=headers).status == 200


ONE = RateLimitSettings(per_second=0.001, burst=1)


def forwarded(*chain: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((b"x-forwarded-for", one.encode()) for one in chain)


def statuses(limits: EndpointLimits, clients: list[tuple[str, tuple]]) -> list[int]:
    guard = Guarded(echo, lambda: limits)
    return [run(guard, client=client, headers=headers).status for client, headers in clients]


def test_a_client_does_not_choose_its_address() -> None:
    asked = [("10.0.0.1", forwarded(f"192.0.2.{n}")) for n in range(5)]
    assert statuses(EndpointLimits(rate_limit=ONE), asked) == [200, 429, 429, 429, 429]
    loopback = [("127.0.0.1", forwarded(f"192.0.2.{n}")) for n in range(3)]
    assert statuses(EndpointLimits(rate_limit=ONE), loopback) == [200, 429, 429]


def test_a_named_proxy_says_who_asks_and_nothing_before_it_is_believed() -> None:
    limits = EndpointLimits(rate_limit=ONE, proxies=("10.1.0.0/16", "10.0.0.9"))
    by_proxy = [("10.1.2.3", forwarded("192.0.2.1")), ("10.0.0.9", forwarded("192.0.2.2"))]
    assert statuses(limits, [*by_proxy, *by_proxy]) == [200, 200, 429, 429]
    forged = [("10.1.2.3", forwarded(f"198.51.100.{n}, 192.0.2.1, 10.1.9.9")) for n in range(3)]
    assert statuses(limits, forged) == [200, 429, 429]
    elsewhere = [("10.2.0.1", forwarded(f"192.0.2.{n}")) for n in range(3)]
    assert statuses(limits, elsewhere) == [200, 429, 429]


def test_a_client_of_ipv6_is_its_network() -> None:
    asked = [(f"2001:db8:1:2::{n}", ()) for n in range(1, 4)]
    assert statuses(EndpointLimits(rate_limit=ONE), asked) == [200, 429, 429]
    assert (
        statuses(EndpointLimits(rate_limit=ONE), [(f"2001:db8:1:{n}::1", ()) for n in (1, 2)])
        == [200] * 2
    )
    assert statuses(
        EndpointLimits(rate_limit=ONE), [("::ffff:10.0.0.1", ()), ("10.0.0.1", ())]
    ) == [
        200,
        429,
    ]


def test_unknown_keys_are_limited_and_known_ones_are_not() -> None:
    guard = Guarded(echo, lambda: WITH_KEYS)
    tried = [run(guard, headers=((b"x-api-key", b"%d" % n),)).status for n in range(200)]
    assert tried[: WRONG_KEYS.burst] == [401] * WRONG_KEYS.burst
    assert tried[-100:] == [429] * 100
    assert run(guard, headers=((b"x-api-key", KEY.encode()),)).status == 200
    assert run(guard, client="10.0.0.2", headers=((b"x-api-key", b"x"),)).status == 401


@pytest.mark.parametrize(
    "given",
    [
        {"proxies": ["*"]}, {"proxies": ["proxy.example"]}, {"proxies": ["10.0.0.1/8"]},
        {"origins": ["shop.example"]}, {"origins": ["https://shop.example/"]}, {"origins": ["*"]},
        {"hosts": ["https://ml.example"]}, {"hosts": ["a.*.example"]}, {"hosts": ["ml.example:80"]},
    ],
)  # fmt: skip
def test_what_would_never_fit_is_refused_in_the_yaml(given: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError, match=next(iter(given))):
        DeploymentSettings.model_validate({"port": 3000, **given})
