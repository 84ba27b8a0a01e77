"""The policies: one folder each, found by looking; others' by the entry point group `sampan.policies`.

A folder's (or an entry point's) `POLICY` is its `PolicyKind`. No policy knows another. See `retry` and `timeout` for
how one is made, and `sampan.compile.hooks` for what a compile step may fill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pkgutil import iter_modules

from sampan.documents.kinds.kind_set import Kind
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.model.names import SAMPAN
from sampan.model.policy import PolicyKind

GROUP = "sampan.policies"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The kinds that there are, ours first; `diagnostics` name each plugin that cannot be used and say why."""

    kinds: tuple[PolicyKind, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def discover() -> tuple[PolicyKind, ...]:
    """Every usable policy kind."""
    return look().kinds


def look() -> Discovery:
    """Every usable policy kind, and what is wrong with plugins that are not. A broken plugin harms only itself."""
    kinds = {kind.kind: kind for kind in _own()}
    diagnostics: list[Diagnostic] = []
    for entry_point in sorted(metadata.entry_points(group=GROUP), key=lambda found: (found.name, found.value)):
        try:
            kind = entry_point.load()
            _check(kind, kinds)
        except Exception as error:
            reason = f"the policy plugin '{entry_point.name}' ({entry_point.value}) is left out: {_said(error)}"
            hint = f"update or uninstall the package '{_package(entry_point)}'"
            origin = Origin("plugins", _package(entry_point))
            diagnostics.append(Diagnostic(codes.BROKEN_PLUGIN, reason, origin, hint=hint))
        else:
            kinds[kind.kind] = kind
    return Discovery(tuple(kinds.values()), tuple(diagnostics))


def document_kinds(kinds: Iterable[PolicyKind]) -> tuple[Kind, ...]:
    """What the policies' documents are: `sampan.dev/v1alpha1`, for `KindSet.with_kinds`."""
    return tuple(Kind(SAMPAN, kind.kind, ("v1alpha1",), kind.spec) for kind in kinds)


def _own() -> Iterator[PolicyKind]:
    """By folder name. Two of ours with one name are our bug."""
    names: set[str] = set()
    for module in sorted(iter_modules(__path__), key=lambda module: module.name):
        if module.ispkg:
            kind: PolicyKind = import_module(f"{__name__}.{module.name}").POLICY
            if kind.kind in names:
                raise ValueError(f"two policies are called {kind.kind}")
            names.add(kind.kind)
            yield kind


def _check(kind: object, taken: Iterable[str]) -> None:
    if not isinstance(kind, PolicyKind):
        raise TypeError(f"it names {type(kind).__name__}, not a PolicyKind")
    if kind.kind in taken:
        raise ValueError(f"there is a policy {kind.kind} already")
    fields = set(getattr(kind.settings, "model_fields", ()))
    missing = sorted((fields | {"target_refs"}) - set(getattr(kind.spec, "model_fields", ())))
    if missing:
        raise TypeError(f"its spec lacks {', '.join(missing)}")
    if find_spec(kind.compiler) is None:
        raise ModuleNotFoundError(f"there is no module {kind.compiler}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _package(entry_point: metadata.EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else entry_point.module.partition(".")[0]
