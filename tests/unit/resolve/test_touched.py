"""The short road is taken only where it leads to the same place: what `groups_touched` leaves out did not change."""

from __future__ import annotations

import random

import pytest
from resolve_world import GATEWAY, World, objects, route, service
from test_endpoints import backend, slice_
from test_incremental import deep_resolution

from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.snapshot import difference
from sampan.resolve import endpoint_group, groups_touched

from ... import registered

SELECTORS = [
    "{app: shop}",
    "{version: v2}",
    "{app: shop, version: v2}",
    "{sampan.dev/service: shop}",
    "{sampan.dev/service: shop, version: v1}",
    "{sampan.dev/datacenter: dc1}",
]


class Chance:
    """Random changes of what serves a Service, small enough that they meet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def step(self) -> dict[Ref, Object | None]:
        changes: dict[Ref, Object | None] = {}
        for _ in range(self.random.choice([1, 1, 2])):
            makers = [self.instance, self.instance, self.instance, self.backend, self.slice, self.service]
            made = self.random.choice(makers)()
            changes[made.ref] = None if self.random.random() < 0.25 else made
        return changes

    def labels(self) -> dict[str, str]:
        return {key: self.random.choice(values) for key, values in (("app", ["shop", "x"]), ("version", ["v1", "v2"]))}

    def instance(self) -> Object:
        address = self.random.choice(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "x.test"])
        state = self.random.choice(["ready", "ready", "down"])
        name = self.random.choice(["shop", "other"])
        return registered.instance(name, address, labels=self.labels(), state=state).object

    def backend(self) -> Object:
        place = self.random.choice(["address: 10.0.1.1", "address: 10.0.1.2", "hostname: y.test"])
        labels = ", ".join(f"{key}: {value}" for key, value in self.labels().items())
        (made,) = objects(backend(self.random.choice("ab"), f"{{endpoints: [{{{place}, port: 1}}]}}", labels)).values()
        return made

    def slice(self) -> Object:
        type_ = self.random.choice(["IPv4", "IPv4", "FQDN"])
        address = "z.test" if type_ == "FQDN" else self.random.choice(["10.0.2.1", "10.0.2.2"])
        (made,) = objects(slice_(f"[{{addresses: [{address}]}}]", self.random.choice("ab"), type_=type_)).values()
        return made

    def service(self) -> Object:
        text = service(self.random.choice(["shop", "more"]), extra=f"  selector: {self.random.choice(SELECTORS)}")
        (made,) = objects(text).values()
        return made


@pytest.mark.parametrize("seed", range(8))
def test_what_is_not_touched_did_not_change(seed: int) -> None:
    chance = Chance(seed)
    second = route("more", "/more").replace("name: shop, port", "name: more, port")
    world = World(GATEWAY, route("shop", "/"), second, service("shop", extra=f"  selector: {SELECTORS[0]}"))
    short = 0
    for _ in range(80):
        old, known = world.snapshot, world.resolution
        new = old.with_changes(chance.step())
        groups, more = groups_touched(difference(old, new), old, new)
        upstreams = [up for plan in known.plans.values() for up in plan.upstreams.values() if not up.endpoints]
        if not more:
            short += 1
            world.snapshot = new
            assert deep_resolution(world.fresh()) == deep_resolution(known)
        for upstream in upstreams:
            if upstream.group not in groups:
                assert endpoint_group(old, upstream).endpoints == endpoint_group(new, upstream).endpoints
        world.change({ref: new.get(ref) for ref in old.objects.keys() | new.objects.keys()})
    assert short > 5
