"""Publications: HTTPRoutes out of the catalogue. Pure; what a change does not touch stays the same object.

A Publication and a registered service give one HTTPRoute, named `PUBLICATION:SERVICE` (no document's name holds a
colon, so it meets none). It is added to the Snapshot before resolving, which treats it as any other; what is found
wrong with it is told of the Publication, once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from sampan.documents.kinds.filters import HTTPRouteFilter, PathModifier, URLRewrite
from sampan.documents.kinds.http_route import HTTPBackendReference, HTTPRoute, HTTPRouteMatch, HTTPRouteRule, PathMatch
from sampan.documents.kinds.publication import Publication, PublishedServices
from sampan.model import codes, diagnostic
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Meta, Object
from sampan.model.names import (
    CONSUL,
    CORE,
    GATEWAY_API,
    REGISTERED_NAME,
    REGISTERED_PORT,
    SAMPAN,
    SERVICE_LABEL,
    Ref,
    bare,
    published,
    qualified,
)
from sampan.model.snapshot import Change, Snapshot
from sampan.model.status import Condition, ParentStatus, Status
from sampan.resolve.conditions import ACCEPTED, not_accepted
from sampan.resolve.index import labelled
from sampan.resolve.resolution import Resolution

KIND = (SAMPAN, "Publication")
LABEL = "sampan.dev/publication"
_INSTANCE = (SAMPAN, "Instance")
_SERVICE = (CORE, "Service")


@dataclass(frozen=True, slots=True)
class _Service:
    """A registered service of the local datacentre. `ref` is the Service that routes go to."""

    name: str
    registered: str
    ref: Ref
    selector: Mapping[str, str]


class Expansion:
    """What the Publications (`publications`, by Ref) made so far. Belongs to one sequence of snapshots."""

    def __init__(self) -> None:
        self.publications: dict[Ref, Object] = {}
        self._services: defaultdict[str, dict[str, _Service]] = defaultdict(dict)
        self._made: dict[Ref, dict[str, Object]] = {}
        self._misplaced: defaultdict[Ref, set[str]] = defaultdict(set)

    def __bool__(self) -> bool:
        return bool(self.publications)

    def made_by(self, publication: Ref) -> Mapping[str, Object]:
        """Its routes, by the service's object name."""
        return self._made.get(publication, {})

    def misplaced(self, publication: Ref) -> Iterable[str]:
        """The object names of services that it takes, and that no route can be made for."""
        return self._misplaced.get(publication, ())

    def follow(self, change: Change, snapshot: Snapshot) -> dict[Ref, Object | None]:
        """The routes that come, differ or go with a change; `snapshot` is after it, without the routes."""
        touched = self._touched(change, snapshot)
        stale: set[Ref] = set()
        for ref, (_, after) in change.objects.items():
            if (ref.group, ref.kind) == KIND:
                stale.add(ref)
                if after is None:
                    self.publications.pop(ref, None)
                else:
                    self.publications[ref] = after
        result: dict[Ref, Object | None] = {}
        for ref in stale:
            before = {item.ref: item for item in self._made.pop(ref, {}).values()}
            result.update(dict.fromkeys(before))
            self._misplaced.pop(ref, None)
            if ref in self.publications:
                names = self._services[ref.namespace]
                result.update(self._remade(self.publications[ref], names, snapshot))
        for ref, item in self.publications.items():
            if ref not in stale and touched.get(ref.namespace):
                result.update(self._remade(item, touched[ref.namespace], snapshot))
        return result

    def _touched(self, change: Change, snapshot: Snapshot) -> Mapping[str, set[str]]:
        """Namespace → names of services to be looked at again."""
        touched: defaultdict[str, set[str]] = defaultdict(set)
        for ref, pair in change.objects.items():
            kind = (ref.group, ref.kind)
            if kind == _SERVICE:
                name = bare(ref.name)[0]
                self._note(ref.namespace, name, snapshot)
                touched[ref.namespace].add(name)
            elif kind == _INSTANCE and self.publications:
                touched[ref.namespace].update(
                    item.meta.labels[SERVICE_LABEL]
                    for item in pair
                    if item is not None and SERVICE_LABEL in item.meta.labels
                )
        return touched

    def _note(self, namespace: str, name: str, snapshot: Snapshot) -> None:
        found = _registered(snapshot, namespace, name)
        if found is None:
            self._services[namespace].pop(name, None)
        else:
            self._services[namespace][name] = found

    def _remade(
        self, publication: Object, names: Iterable[str], snapshot: Snapshot
    ) -> Iterator[tuple[Ref, Object | None]]:
        made = self._made.setdefault(publication.ref, {})
        spec: Publication = publication.spec
        for name in names:
            service = self._services[publication.ref.namespace].get(name)
            wanted = service is not None and _takes(spec.services, service, snapshot)
            old = made.get(name)
            new = _route(publication, service) if service is not None and wanted else None
            misplaced = self._misplaced[publication.ref]
            (misplaced.add if wanted and new is None else misplaced.discard)(name)
            if new is None:
                if old is not None:
                    del made[name]
                    yield old.ref, None
                continue
            if old is None or old.spec != new.spec or old.meta != new.meta:
                made[name] = new
                yield new.ref, new


def _registered(snapshot: Snapshot, namespace: str, name: str) -> _Service | None:
    """By its bare name if that is the registered service's, else by the qualified one: a document may have the name."""
    for ref in (Ref(CORE, "Service", namespace, name), Ref(CORE, "Service", namespace, qualified(name, CONSUL))):
        found = snapshot.get(ref)
        if found is not None and found.meta.origin.source == CONSUL:
            return _Service(name, found.meta.annotations.get(REGISTERED_NAME, name), ref, found.spec.selector)
    return None


def _takes(services: PublishedServices, service: _Service, snapshot: Snapshot) -> bool:
    if not services.takes_name(service.registered):
        return False
    if not services.match_labels:
        return True
    wanted = {**services.match_labels, **service.selector}.items()
    return any(
        wanted <= item.meta.labels.items()
        for item in snapshot.bucket(labelled(service.ref.namespace, SERVICE_LABEL, service.name))
    )


def _route(publication: Object, service: _Service) -> Object | None:
    """None where the service's name makes a place that no route can have: a host name that is an IP address, or too
    long. Whoever registers a service chooses its name."""
    spec: Publication = publication.spec
    path, hostnames = spec.place(service.name)
    filters: tuple[HTTPRouteFilter, ...] = ()
    if not spec.keep_path and path.rstrip("/"):
        modifier = PathModifier(type="ReplacePrefixMatch", replace_prefix_match="/")
        filters = (HTTPRouteFilter(type="URLRewrite", url_rewrite=URLRewrite(path=modifier)),)
    try:
        rule = HTTPRouteRule(
            matches=(HTTPRouteMatch(path=PathMatch(value=path)),),
            filters=filters,
            backend_refs=(HTTPBackendReference(name=service.ref.name, port=REGISTERED_PORT),),
        )
        route = HTTPRoute(parent_refs=spec.parent_refs, hostnames=hostnames, rules=(rule,))
    except ValidationError:
        return None
    meta = Meta({LABEL: publication.ref.name}, created=publication.meta.created, origin=publication.meta.origin)
    ref = Ref(GATEWAY_API, "HTTPRoute", publication.ref.namespace, published(publication.ref.name, service.name))
    return Object(ref, meta, route)


# ---- what is said of them


def told(resolution: Resolution, expansion: Expansion) -> Resolution:
    """The resolution with the Publications' statuses, and with what was found of their routes told of them, once."""
    makers = {
        item.ref: publication
        for ref, publication in expansion.publications.items()
        for item in expansion.made_by(ref).values()
    }
    statuses = dict(resolution.statuses)
    found: dict[Diagnostic, None] = {}
    for item in resolution.diagnostics:
        maker = makers.get(item.object) if item.object is not None else None
        found[item if maker is None else _of_maker(item, maker)] = None
    for ref, publication in expansion.publications.items():
        statuses[ref] = _status(ref, expansion.made_by(ref), resolution.statuses)
        found.update(dict.fromkeys(_clashes(publication, expansion.made_by(ref))))
        found.update(dict.fromkeys(_placeless(publication, expansion.misplaced(ref))))
    return replace(resolution, statuses=statuses, diagnostics=tuple(sorted(found, key=lambda item: item.sort_key)))


def _of_maker(item: Diagnostic, maker: Object) -> Diagnostic:
    """References to parents and host names stand in the Publication under the same fields; rules do not."""
    kept = item.field if item.field[1:2] in (("parentRefs",), ("hostnames",)) else ("spec",)
    return replace(item, object=maker.ref, field=kept)


def _status(publication: Ref, made: Mapping[str, Object], statuses: Mapping[Ref, Status]) -> Status:
    """The parents' conditions over all routes: of each kind the first that is not as it should be."""
    extra = (("publishedServices", len(made)),)
    found = [statuses[item.ref] for item in made.values() if item.ref in statuses]
    if not made:
        words = f"No service that is registered in namespace '{publication.namespace}' is meant"
        return Status((replace(ACCEPTED, message=words),), extra=extra)
    if not found:
        return Status((not_accepted("NoMatchingParent", "No Gateway of Sampan's is meant"),), extra=extra)
    parents = tuple(_worst(of_one) for of_one in zip(*(status.parents for status in found), strict=False))
    return Status(parents=parents, extra=extra)


def _worst(parents: tuple[ParentStatus, ...]) -> ParentStatus:
    conditions: dict[str, Condition] = {}
    for parent in parents:
        for condition in parent.conditions:
            known = conditions.setdefault(condition.type, condition)
            if known.status == "True" and condition.status != "True":
                conditions[condition.type] = condition
    return ParentStatus(parents[0].parent_ref, tuple(conditions.values()))


def _clashes(publication: Object, made: Mapping[str, Object]) -> Iterator[Diagnostic]:
    places: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for name in made:
        places[publication.spec.place(name)].append(name)
    for (path, hostnames), names in places.items():
        if len(names) > 1:
            first, *others = sorted(names)
            where = f"{', '.join(hostnames)}{path}"
            reason = f"{' and '.join(others)} would be at {where} as well, where {first} is"
            hint = "exclude all but one, or choose another trimPrefix"
            yield diagnostic.of(codes.SHARED_PLACE, publication, reason, ("spec", "services"), hint)


def _placeless(publication: Object, names: Iterable[str]) -> Iterator[Diagnostic]:
    for name in sorted(names):
        path, hostnames = publication.spec.place(name)
        reason = f"{name} would be at {', '.join(hostnames)}{path}, where no route can be"
        hint = "exclude it, or choose another trimPrefix, path or host name"
        yield diagnostic.of(codes.NO_PLACE, publication, reason, ("spec", "services"), hint)
