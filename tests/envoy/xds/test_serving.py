"""The real Envoy under a Control: it gets what is published, keeps what is good and says what is bad."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from xds_harness import (
    DEADLINE,
    SCOPE,
    Envoy,
    backend,
    cluster_row,
    endpoint_row,
    listener_row,
    route_row,
    running,
    service_rows,
    until,
    validate,
)

from sampan.envoy import protos
from sampan.envoy.consistent import dangling
from sampan.envoy.static import static_bootstrap, subset, trial_bootstrap
from sampan.envoy.table import row, table
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE
from sampan.xds.control import Connected, Control, Disconnected, Notice
from sampan.xds.events import Refused
from sampan.xds.server import serving

pytestmark = pytest.mark.envoy


@asynccontextmanager
async def controlled(folder: Path) -> AsyncIterator[tuple[Control, Envoy, list[Notice]]]:
    control = Control(linger=0.05)
    notices: list[Notice] = []
    control.observe(notices.append)
    async with serving(control, folder / "xds.sock"), running(folder) as envoy:
        yield control, envoy, notices


async def in_step(control: Control, revision: int) -> None:
    assert await control.settled(SCOPE, revision, DEADLINE)


def test_a_publication_is_served_and_a_change_of_endpoints_takes_its_own_road(folder: Path) -> None:
    async def scenario() -> None:
        async with controlled(folder) as (control, envoy, notices), backend("one") as one, backend("two") as two:
            rows = table([*service_rows("a", one), listener_row(envoy.port), route_row({"/": "a"})])
            assert dangling(rows) == ()
            await in_step(control, control.publish(SCOPE, rows))
            await envoy.serves(b"one")
            await in_step(control, control.publish_rows(SCOPE, [endpoint_row("a", two)]))
            await envoy.serves(b"two")
            (node,) = control.nodes()
            assert node.in_step
            assert node.node.id == SCOPE
            assert node.node.version.startswith("1.")
            assert node.types[ENDPOINT].confirmed == {"a": endpoint_row("a", two).version}
            assert node.types[LISTENER].pending == 0
            assert stat.S_IMODE(os.stat(folder / "xds.sock").st_mode) == 0o600
            await envoy.kill()
            await until(disconnected(notices), "the stream ends")
            assert control.nodes() == ()
            assert isinstance(notices[0].what, Connected)

    def disconnected(notices: list[Notice]):  # type: ignore[no-untyped-def]
        async def seen() -> bool:
            return any(isinstance(notice.what, Disconnected) for notice in notices)

        return seen

    asyncio.run(scenario())


def test_envoy_starts_without_a_warning(folder: Path) -> None:
    async def scenario() -> str:
        async with controlled(folder) as (control, envoy, _):
            rows = table([*service_rows("a", 1), listener_row(envoy.port), route_row({"/": "a"})])
            await in_step(control, control.publish(SCOPE, rows))

            async def ready() -> bool:
                return await envoy.admin("/ready") == b"LIVE\n"

            await until(ready, "ready")
            return envoy.log

    assert asyncio.run(scenario()) == ""


def test_a_changed_cluster_does_not_hang_warming_and_fails_no_request(folder: Path) -> None:
    async def scenario() -> None:
        async with controlled(folder) as (control, envoy, _), backend("one") as one:
            base = table([*service_rows("a", one), listener_row(envoy.port), route_row({"/": "a"})])
            await in_step(control, control.publish(SCOPE, base))
            await envoy.serves(b"one")
            for milliseconds in range(1001, 1021):
                await in_step(control, control.publish(SCOPE, base.with_rows([cluster_row("a", milliseconds)])))
                await envoy.serves(b"one")
            assert await envoy.stat("cluster_manager.warming_clusters") == 0
            assert await envoy.stat("cluster_manager.cluster_modified") == 20
            assert await envoy.stat("cluster.a.upstream_cx_none_healthy") == 0

    asyncio.run(scenario())


def test_a_changed_listener_takes_over_with_the_routes_it_shares(folder: Path) -> None:
    async def scenario() -> None:
        async with controlled(folder) as (control, envoy, _), backend("one") as one:
            base = table([*service_rows("a", one), listener_row(envoy.port), route_row({"/": "a"})])
            await in_step(control, control.publish(SCOPE, base))
            await envoy.serves(b"one")
            for prefix in ("second", "third"):
                changed = base.with_rows([listener_row(envoy.port, prefix=prefix)])
                await in_step(control, control.publish(SCOPE, changed))

                async def new(prefix: str = prefix) -> bool:
                    await envoy.serves(b"one")
                    return await envoy.stat(f"http.{prefix}.downstream_rq_2xx") > 0

                await until(new, f"requests counted as {prefix}")
            assert await envoy.stat("listener_manager.total_listeners_warming") == 0

    asyncio.run(scenario())


def test_what_is_gone_is_removed_and_can_come_back(folder: Path) -> None:
    async def scenario() -> None:
        async with controlled(folder) as (control, envoy, _), backend("one") as one, backend("two") as two:
            base = table([*service_rows("a", one), listener_row(envoy.port), route_row({"/": "a"})])
            both = base.with_rows([*service_rows("b", two), route_row({"/b": "b", "/": "a"})])

            async def clusters() -> int:
                return await envoy.stat("cluster_manager.active_clusters") - 1  # its own to the control plane

            for _ in range(3):
                await in_step(control, control.publish(SCOPE, both))
                await envoy.serves(b"two", "/b")
                await in_step(control, control.publish(SCOPE, base))
                await envoy.serves(b"one", "/b")

                async def one_left() -> bool:
                    return await clusters() == 1

                await until(one_left, "the cluster is removed")

    asyncio.run(scenario())


def test_a_bad_cluster_is_named_and_the_others_are_served(folder: Path) -> None:
    async def scenario() -> None:
        async with controlled(folder) as (control, envoy, notices), backend("one") as one:
            named = cluster_row("bad/named", 1000)
            message = protos.cluster.Cluster.FromString(named.body)
            message.outlier_detection.base_ejection_time.seconds = 10
            message.outlier_detection.max_ejection_time.seconds = 1  # judged when the cluster is built
            unnamed = protos.cluster.Cluster(name="bad/unnamed")
            unnamed.connect_timeout.seconds = -1  # a constraint of the proto: Envoy refuses the whole response
            rows = table(
                [
                    *service_rows("a", one),
                    *(cluster_row(f"n{number}") for number in range(20)),
                    *(endpoint_row(f"n{number}") for number in range(20)),
                    row(CLUSTER, "bad/named", message.SerializeToString()),
                    row(CLUSTER, "bad/unnamed", unnamed.SerializeToString()),
                    listener_row(envoy.port),
                    route_row({"/": "a"}),
                ]
            )
            await in_step(control, control.publish(SCOPE, rows))
            await envoy.serves(b"one")
            refused = {name for n in notices if isinstance(n.what, Refused) for name in n.what.versions}
            assert refused == {"bad/named", "bad/unnamed"}
            assert await envoy.stat("cluster_manager.active_clusters") == 22
            assert {refusal.name for refusal in control.nodes()[0].refused} == refused

    asyncio.run(scenario())


def test_bad_routes_leave_the_good_ones_in_force_even_for_a_proxy_that_starts_again(folder: Path) -> None:
    async def scenario() -> None:
        async with controlled(folder) as (control, envoy, notices), backend("one") as one:
            good = table([*service_rows("a", one), listener_row(envoy.port), route_row({"/": "a"})])
            await in_step(control, control.publish(SCOPE, good))
            bad = good.with_rows([route_row({"/": "a"}, regex="(?<x>a)(")])
            await in_step(control, control.publish(SCOPE, bad))
            await envoy.serves(b"one")
            (refused,) = [notice.what for notice in notices if isinstance(notice.what, Refused)]
            assert refused.type == ROUTE
            assert [*refused.versions] == ["http"]
            await envoy.kill()
            await envoy.start()
            await envoy.serves(b"one")

    asyncio.run(scenario())


def test_the_static_forms_are_taken_and_a_bad_route_is_refused(folder: Path) -> None:
    rows = table([*service_rows("a", 8080), listener_row(8081), route_row({"/": "a"}, regex="(?<x>a)(")])
    good = rows.with_rows([route_row({"/": "a"})])
    config = folder / "static.pb"
    config.write_bytes(static_bootstrap(good))
    assert validate(config) == ""
    config.write_bytes(static_bootstrap(rows))
    assert "missing )" in validate(config)
    body = rows.of(ROUTE)["http"].body
    config.write_bytes(trial_bootstrap(body))
    assert "missing )" in validate(config)
    config.write_bytes(trial_bootstrap(subset(body, [(0, 1)])))
    assert validate(config) == ""
