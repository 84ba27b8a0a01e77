"""EndpointGroup → ClusterLoadAssignment: the endpoints' own road. A changed endpoint builds this row and no other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan.envoy import protos, types
from sampan.envoy.table import Row, row
from sampan.model.plan import Endpoint, EndpointGroup


def endpoint_row(group: EndpointGroup) -> Row:
    """The endpoints of a group, those that are down left out."""
    assignment = protos.endpoint.ClusterLoadAssignment()
    assignment.cluster_name = group.name
    fill_endpoints(assignment, group.endpoints)
    return row(types.ENDPOINT, group.name, assignment.SerializeToString())


def fill_endpoints(assignment: Any, endpoints: Iterable[Endpoint]) -> None:
    """By region and zone, in the order in which these first appear. A draining endpoint finishes what it has and gets
    new requests only if no other is left."""
    zones: dict[tuple[str, str], Any] = {}
    draining = protos.core.DRAINING
    for endpoint in endpoints:
        if endpoint.state == "down":
            continue
        zone = zones.get((endpoint.region, endpoint.zone))
        if zone is None:
            zone = zones[endpoint.region, endpoint.zone] = assignment.endpoints.add()
            if endpoint.region:
                zone.locality.region = endpoint.region
            if endpoint.zone:
                zone.locality.zone = endpoint.zone
        place = zone.lb_endpoints.add()
        if endpoint.unix:
            place.endpoint.address.pipe.path = endpoint.address
        else:
            address = place.endpoint.address.socket_address
            address.address = endpoint.address
            address.port_value = endpoint.port
        if endpoint.weight != 1:
            place.load_balancing_weight.value = endpoint.weight
        if endpoint.state == "draining":
            place.health_status = draining
