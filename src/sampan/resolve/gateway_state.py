"""What is kept for one Gateway from one resolve to the next, and the Plan that is made of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from operator import itemgetter

from sampan.model.plan import Certificate, Plan, TrustBundle, Upstream, View
from sampan.resolve.backends import UpstreamFacts
from sampan.resolve.frames import Frame
from sampan.resolve.sharing import field_values
from sampan.resolve.sockets import Sockets
from sampan.resolve.tables import Table


class GatewayState:
    """What is kept for one Gateway from one resolve to the next."""

    def __init__(self) -> None:
        self.tables: defaultdict[str, Table] = defaultdict(Table)
        self.attached: Counter[str] = Counter()
        self.sockets = Sockets()
        self.upstreams: Mapping[str, Upstream] = {}
        self.secured: dict[str, UpstreamFacts] = {}
        self.plan: Plan | None = None

    def change_upstreams(self, named: Mapping[str, UpstreamFacts | None]) -> None:
        """By name, None for one that is not used any more. Those with TLS are also kept with what it needs."""
        changed = dict(self.upstreams)
        for name, facts in named.items():
            self.secured.pop(name, None)
            if facts is None:
                changed.pop(name, None)
                continue
            changed[name] = facts.upstream
            if facts.upstream.tls is not None:
                self.secured[name] = facts
        if changed.keys() != self.upstreams.keys():
            changed = dict(sorted(changed.items(), key=itemgetter(0)))
        self.upstreams = changed

    def make_plan(self, view: View, found: Frame) -> Plan | None:
        """The Gateway's Plan, the former one if it is the same; None if no port is served."""
        if not any(found.served(door) for door in found.facts.doors):
            return None
        certificates: dict[str, Certificate] = {}
        trust: dict[str, TrustBundle] = {}
        for tls in found.tls:
            certificates.update((item.name, item) for item in tls.certificates)
            trust.update((item.name, item) for item in tls.trust)
        for facts in self.secured.values():
            trust.update((item.name, item) for item in facts.trust)
            if facts.certificate is not None:
                certificates[facts.certificate.name] = facts.certificate
        plan = Plan(
            view,
            self.sockets.make(found, self.tables),
            self.upstreams,
            dict(sorted(certificates.items())),
            dict(sorted(trust.items())),
        )
        values = field_values(Plan)
        if self.plan is None or values(self.plan) != values(plan):
            self.plan = plan
        return self.plan
