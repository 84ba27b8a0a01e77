"""HTTPRoutes: RequestRedirect, the whole Location each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .certificates import authority, client_context, tls_secret
from .marks import case
from .stage import Stage
from .world import Document, World, gateway, http_listener, http_route

pytestmark = pytest.mark.envoy

HOST = "shop.example"


def redirect(path: str, /, **fields: object) -> Document:
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "filters": [{"type": "RequestRedirect", "requestRedirect": fields}],
    }


def prefix(value: str) -> Document:
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": value}


def full(value: str) -> Document:
    return {"type": "ReplaceFullPath", "replaceFullPath": value}


def expect(stage: Stage, path: str, status: int, location: str, asked: str = "", method: str = "GET") -> None:
    """`location` with `HOST` for the host (and port) that were asked."""
    asked = asked or f"{HOST}:{stage.port}"
    answer = stage.expect(status, path, asked, method=method)
    assert answer.header("location") == location.replace("HOST", asked)


@case("HTTPRoute303Redirect")
def test_303(stage: Stage) -> None:
    stage.apply(stage.route(redirect("/see-other", statusCode=303)))
    expect(stage, "/see-other", 303, "http://HOST/see-other", method="POST")


@case("HTTPRoute307Redirect")
def test_307(stage: Stage) -> None:
    stage.apply(stage.route(redirect("/temporary", statusCode=307)))
    expect(stage, "/temporary", 307, "http://HOST/temporary")


@case("HTTPRoute308Redirect")
def test_308(stage: Stage) -> None:
    stage.apply(stage.route(redirect("/permanent", statusCode=308)))
    expect(stage, "/permanent", 308, "http://HOST/permanent")


@case("HTTPRouteRedirectHostAndStatus")
def test_host_and_status(stage: Stage) -> None:
    """The listener's port stays in the Location, since it is not 80."""
    stage.apply(
        stage.route(
            redirect("/host", hostname="else.example"), redirect("/both", hostname="else.example", statusCode=301)
        )
    )
    expect(stage, "/host", 302, f"http://else.example:{stage.port}/host")
    expect(stage, "/both", 301, f"http://else.example:{stage.port}/both")


@case("HTTPRouteRedirectPath")
def test_paths(stage: Stage) -> None:
    stage.apply(
        stage.route(
            redirect("/old", path=prefix("/new")),
            redirect("/full", path=full("/all-new")),
            redirect("/path-host", hostname="else.example", path=prefix("/new")),
            redirect("/path-status", path=prefix("/new"), statusCode=301),
            redirect("/full-host", hostname="else.example", path=full("/all-new")),
            redirect("/full-status", path=full("/all-new"), statusCode=301),
        )
    )
    expect(stage, "/old/lemon", 302, "http://HOST/new/lemon")
    expect(stage, "/full/path/original", 302, "http://HOST/all-new")
    expect(stage, "/path-host", 302, f"http://else.example:{stage.port}/new")
    expect(stage, "/path-status", 301, "http://HOST/new")
    expect(stage, "/full-host", 302, f"http://else.example:{stage.port}/all-new")
    expect(stage, "/full-status", 301, "http://HOST/all-new")


@case("HTTPRouteRedirectPort")
def test_ports(stage: Stage) -> None:
    stage.apply(
        stage.route(
            redirect("/port", port=8083),
            redirect("/port-host", port=8083, hostname="else.example"),
            redirect("/port-status", port=8083, statusCode=301),
            redirect("/port-host-status", port=8083, hostname="else.example", statusCode=302),
        )
    )
    expect(stage, "/port", 302, f"http://{HOST}:8083/port")
    expect(stage, "/port-host", 302, "http://else.example:8083/port-host")
    expect(stage, "/port-status", 301, f"http://{HOST}:8083/port-status")
    expect(stage, "/port-host-status", 302, "http://else.example:8083/port-host-status")


@case("HTTPRouteRedirectScheme")
def test_schemes(stage: Stage) -> None:
    """Asked without a port, as browsers ask a gateway on port 80."""
    stage.apply(
        stage.route(
            redirect("/scheme", scheme="https"),
            redirect("/scheme-host", scheme="https", hostname="else.example"),
            redirect("/scheme-status", scheme="https", statusCode=301),
            redirect("/scheme-host-status", scheme="https", hostname="else.example", statusCode=302),
        )
    )
    expect(stage, "/scheme", 302, f"https://{HOST}/scheme", HOST)
    expect(stage, "/scheme-host", 302, "https://else.example/scheme-host", HOST)
    expect(stage, "/scheme-status", 301, f"https://{HOST}/scheme-status", HOST)
    expect(stage, "/scheme-host-status", 302, "https://else.example/scheme-host-status", HOST)


@pytest.fixture
def well_known(world: World) -> Iterator[tuple[Stage, str]]:
    """Gateways on the ports 80, 8080 and 443 of an address of their own, which nobody else has."""
    stage, address = Stage(world), "127.80.80.1"
    namespace, at = stage.namespace, {"addresses": [{"value": address}]}
    https = http_listener(443, "https", protocol="HTTPS", tls={"certificateRefs": [{"name": "certificate"}]})
    stage.basis += [
        gateway(namespace, "on-80", http_listener(80), **at),
        gateway(namespace, "on-8080", http_listener(8080), **at),
        gateway(namespace, "on-443", https, **at),
        tls_secret(namespace, "certificate", authority().leaf("else.example")),
    ]
    yield stage, address
    world.remove(*stage.files)


@pytest.mark.root
@case("HTTPRouteRedirectPortAndScheme")
def test_ports_and_schemes_of_well_known_ports(well_known: tuple[Stage, str]) -> None:
    stage, address = well_known
    wanted: dict[str, dict[tuple[str, int | None], str]] = {
        "on-80": {
            ("", None): "http://else.example",
            ("", 80): "http://else.example",
            ("", 8080): "http://else.example:8080",
            ("https", None): "https://else.example",
            ("https", 443): "https://else.example",
            ("https", 8443): "https://else.example:8443",
        },
        "on-8080": {
            ("", None): "http://else.example:8080",
            ("", 80): "http://else.example",
            ("https", None): "https://else.example",
        },
        "on-443": {
            ("", None): "https://else.example",
            ("", 443): "https://else.example",
            ("", 8443): "https://else.example:8443",
            ("http", None): "http://else.example",
            ("http", 80): "http://else.example",
            ("http", 8080): "http://else.example:8080",
        },
    }
    routes = []
    for name, cases in wanted.items():
        rules = []
        for scheme, port in cases:
            fields = {
                "hostname": "else.example",
                **({"scheme": scheme} if scheme else {}),
                **({"port": port} if port else {}),
            }
            rules.append(redirect(f"/{scheme or 'nil'}-{port or 'nil'}", **fields))
        routes.append(http_route(stage.namespace, name, name, *rules))
    stage.apply(*routes)
    for name, cases in wanted.items():
        number = int(name.removeprefix("on-"))
        tls = client_context(authority()) if number == 443 else None
        for (scheme, port), location in cases.items():
            path = f"/{scheme or 'nil'}-{port or 'nil'}"
            answer = stage.expect(302, path, "else.example", port=number, address=address, tls=tls)
            assert answer.header("location") == location + path
