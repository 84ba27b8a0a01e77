"""A rule of an HTTPRoute or GRPCRoute: from its filters and backend references to an Action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.documents.kinds.references import BackendReference
from sampan.model import codes, diagnostic
from sampan.model.diagnostic import Diagnostic, FieldPath
from sampan.model.meta import Object
from sampan.model.names import Ref, resource_name
from sampan.model.plan import Action, Cors, Forward, Mirror, Redirect, Respond, Rewrite, RuleOrigin, Share
from sampan.model.policy import Policies
from sampan.resolve.backends import BACKEND_KINDS, Choice, Fault, UpstreamKey, Wish, choice, unknown_kind
from sampan.resolve.filters import NO_FILTERS, Filters, redirect_of, rewrite_of
from sampan.resolve.filters import read as read_filters
from sampan.resolve.grants import may_refer
from sampan.resolve.policies import Layer, Link, backend_layers, in_force, rule_layers, written_in
from sampan.resolve.references import forbidden
from sampan.resolve.targets import Attached
from sampan.resolve.units import Reader


@dataclass(frozen=True, slots=True)
class Context:
    """Where an action is used: what of the listener it depends on. `layers`: policies of Gateway and listener."""

    gateway: Ref
    port: int
    tls: bool
    layers: tuple[Layer, ...]


@dataclass(slots=True)
class Findings:
    """What comes up while a route is worked through, once however many listeners it has."""

    faults: dict[Fault, None] = field(default_factory=dict)
    upstreams: dict[UpstreamKey, None] = field(default_factory=dict)
    unusable: dict[int, str] = field(default_factory=dict)
    reported: dict[Diagnostic, None] = field(default_factory=dict)


class RuleReader:
    """Works through the rules of one route."""

    def __init__(self, reader: Reader, route: Object, attached: Attached, grpc: bool) -> None:
        self.reader = reader
        self.route = route
        self.attached = attached
        self.grpc = grpc
        self.wish: Wish = "grpc" if grpc else "http"
        self.findings = Findings()
        self._kind = route.ref.kind.lower()
        # UNAVAILABLE is what Envoy makes of 503 for gRPC; 500 would become UNKNOWN (http-grpc-status-mapping.md).
        self._failure = 503 if grpc else 500

    def action(self, rule: Any, index: int, prefix: str, context: Context) -> Action:
        """`prefix` is the path prefix of the rule's only match, for what replaces it."""
        at: FieldPath = ("spec", "rules", index)
        filters = read_filters(rule.filters) if rule.filters else NO_FILTERS
        layers = (*context.layers, *rule_layers(self.attached, rule.name))
        inline = written_in(self.reader, self.route.ref, rule, index)
        policies = in_force(self.reader, self.route.ref.kind, layers, inline)
        failure = self._report_unusable(filters, (*at, "filters"), index)
        mirrors: tuple[Mirror, ...] = ()
        cors = filters.cors
        if failure:
            shares: tuple[Share, ...] = (Share(1, Respond(500, failure), policies=policies),)
        elif filters.redirect is not None:
            target = redirect_of(filters.redirect, prefix, context.port, context.tls)
            shares = (Share(1, target, policies=policies),)
        else:
            mirrors = self._mirrors(filters, (*at, "filters"), context)
            shares, backend_cors = self._shares(rule, index, filters, prefix, context, layers, inline, policies)
            cors = cors or backend_cors
        ref = self.route.ref
        return Action(
            resource_name(self._kind, ref.namespace, ref.name, index),
            RuleOrigin(ref, index, rule.name),
            shares,
            filters.request,
            filters.response,
            mirrors,
            cors,
            policies,
            self.grpc,
        )

    def _shares(
        self,
        rule: Any,
        index: int,
        filters: Filters,
        prefix: str,
        context: Context,
        layers: tuple[Layer, ...],
        inline: tuple[tuple[str, Link], ...],
        policies: Policies,
    ) -> tuple[tuple[Share, ...], Cors | None]:
        shares: list[Share] = []
        cors: list[Cors | None] = []
        rewrite = rewrite_of(filters.rewrite, prefix)
        for number, reference in enumerate(rule.backend_refs):
            at: FieldPath = ("spec", "rules", index, "backendRefs", number)
            own = read_filters(reference.filters) if reference.filters else NO_FILTERS
            failure = self._report_unusable(own, (*at, "filters"), index, whole_rule=False)
            chosen = self.choose(reference, at, context.gateway)
            if not reference.weight:
                continue
            cors.append(own.cors)
            if failure or chosen.fault is not None:
                reason = failure or (chosen.fault.message if chosen.fault else "")
                shares.append(Share(reference.weight, Respond(self._failure, reason), policies=policies))
                continue
            share = self._share(reference, chosen, own, rewrite, prefix, context, layers, inline, policies, at)
            shares.append(share)
        if not shares:
            words = "all backends have weight 0" if rule.backend_refs else "the rule names no backend"
            shares.append(Share(1, Respond(self._failure, words), policies=policies))
        return tuple(shares), self._common_cors(cors, index)

    def _share(
        self,
        reference: Any,
        chosen: Choice,
        own: Filters,
        rewrite: Rewrite | None,
        prefix: str,
        context: Context,
        layers: tuple[Layer, ...],
        inline: tuple[tuple[str, Link], ...],
        policies: Policies,
        at: FieldPath,
    ) -> Share:
        target: Forward | Redirect
        if own.redirect is not None:
            target = redirect_of(own.redirect, prefix, context.port, context.tls)
            return Share(reference.weight, target, own.request, own.response, policies=policies)
        key = chosen.upstream
        assert key is not None
        self.findings.upstreams[key] = None
        service = backend_layers(chosen.attached, chosen.section)
        if service:
            policies = in_force(self.reader, self.route.ref.kind, (*layers, *service), inline)
        target = Forward(chosen.name, rewrite_of(own.rewrite, prefix) or rewrite)
        mirrors = self._mirrors(own, (*at, "filters"), context)
        return Share(reference.weight, target, own.request, own.response, mirrors, policies)

    def choose(self, reference: BackendReference, at: FieldPath, gateway: Ref) -> Choice:
        """The upstream of a reference, its fault noted and reported."""
        chosen = choose(self.reader, self.route.ref, reference, gateway, self.wish)
        if chosen.fault is not None:
            self.note(chosen.fault, at)
        return chosen

    def note(self, fault: Fault, at: FieldPath) -> None:
        self.findings.faults[fault] = None
        if fault.code is not None:
            self.report(fault.code, fault.message, (*at, fault.field), fault.hint)

    def report(self, code: codes.Code, reason: str, at: FieldPath, hint: str = "") -> None:
        self.findings.reported[diagnostic.of(code, self.route, reason, at, hint)] = None

    def _mirrors(self, filters: Filters, at: FieldPath, context: Context) -> tuple[Mirror, ...]:
        """A mirror that leads nowhere is left out: the request itself does not depend on it."""
        mirrors = []
        for index, mirror in filters.mirrors:
            chosen = self.choose(mirror.backend_ref, (*at, index, "requestMirror", "backendRef"), context.gateway)
            if chosen.upstream is None:
                continue
            numerator, denominator = 100, 100
            if mirror.percent is not None:
                numerator = mirror.percent
            elif mirror.fraction is not None:
                numerator, denominator = mirror.fraction.numerator, mirror.fraction.denominator
            if numerator:
                self.findings.upstreams[chosen.upstream] = None
                mirrors.append(Mirror(chosen.name, numerator, denominator))
        return tuple(mirrors)

    def _report_unusable(self, filters: Filters, at: FieldPath, rule: int, whole_rule: bool = True) -> str:
        """The first reason why requests get an error, or ""."""
        for item in filters.unusable:
            field_ = (*at, item.index, *item.field)
            if item.reference:
                self.note(Fault("InvalidKind", item.reason, code=None), at)
            self.report(codes.UNSUPPORTED_FILTER, item.reason, field_, "until it is removed, requests get an error")
            if whole_rule:
                self.findings.unusable[rule] = item.reason
        return filters.unusable[0].reason if filters.unusable else ""

    def _common_cors(self, found: Sequence[Cors | None], rule: int) -> Cors | None:
        """CORS of backend references is the rule's where all agree; a browser's preflight request has no backend."""
        if not any(found):
            return None
        if all(item == found[0] for item in found):
            return found[0]
        reason = "CORS that differs from one backend of a rule to another cannot be had"
        self.report(
            codes.UNSUPPORTED_FILTER, reason, ("spec", "rules", rule, "backendRefs"), "move it to the rule's filters"
        )
        return None


def choose(reader: Reader, owner: Ref, reference: BackendReference, gateway: Ref, wish: Wish) -> Choice:
    """The upstream that `owner` (a route) means by a backend reference, or why there is none."""
    kind = (reference.group, reference.kind)
    if kind not in BACKEND_KINDS:
        return Choice(fault=unknown_kind(*kind))
    to = Ref(reference.group, reference.kind, reference.namespace or owner.namespace, reference.name)
    if to.namespace != owner.namespace and not may_refer(reader, owner, to):
        reason = forbidden(owner, to)
        hint = f"add a ReferenceGrant to namespace '{to.namespace}'"
        return Choice(fault=Fault("RefNotPermitted", reason, "namespace", hint, codes.NOT_PERMITTED))
    port = (reference.port or 0) if to.kind == "Service" else 0
    return reader.use(choice, gateway, to, port, wish)
