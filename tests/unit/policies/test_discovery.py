"""Policies are found by looking into their folders and by entry point; a broken plugin harms only itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.model import codes
from sampan.model.names import SAMPAN
from sampan.policies import discover, document_kinds, look

PLUGINS = Path(__file__).parents[2] / "plugins"
SOURCE = Path(__file__).parents[3] / "src" / "sampan" / "policies"  # an installed package has no test data
OURS = [kind.kind for kind in discover()]


def test_own() -> None:
    assert {"Retry", "Timeout"} <= {kind.kind for kind in discover()}


def test_every_policy_has_its_parts() -> None:
    """What makes a folder a policy: docs, goldens, a compile step, a spec with the settings' fields."""
    for kind in discover():
        folder = SOURCE / kind.compiler.split(".")[-2]
        assert (folder / "README.md").is_file()
        assert list(folder.glob("testdata/bad-*.in.yaml"))
        assert set(kind.settings.model_fields) < set(kind.spec.model_fields)  # type: ignore[attr-defined]
        assert all(getattr(kind.shipped, name, "absent") != "absent" for name in kind.settings.model_fields)  # type: ignore[attr-defined]


def test_settings_can_be_keys() -> None:
    """Resolving keys chains of settings by their value."""
    for kind in discover():
        assert hash(kind.shipped) == hash(kind.shipped.model_copy())


def test_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PLUGINS / "raw_route")
    found = look()
    assert found.diagnostics == ()
    assert "RawRoute" in [kind.kind for kind in found.kinds]
    kinds = BUILT_IN.with_kinds(document_kinds(found.kinds))
    kind = kinds.get(SAMPAN, "RawRoute")
    assert kind is not None
    assert kind.api_version == "sampan.dev/v1alpha1"


def test_broken_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PLUGINS / "broken")
    monkeypatch.syspath_prepend(PLUGINS / "raw_route")
    found = look()
    assert [kind.kind for kind in found.kinds] == [*OURS, "RawRoute"]
    assert {item.code for item in found.diagnostics} == {codes.BROKEN_PLUGIN}
    assert all("broken-plugin" in item.hint for item in found.diagnostics)
    reasons = {item.reason.split("'")[1]: item.reason.partition(": ")[2] for item in found.diagnostics}
    assert list(reasons) == ["missing", "namesake", "nowhere", "uncompiled", "word"]
    assert "MISSING" in reasons["missing"]
    assert reasons["namesake"] == "ValueError: there is a policy Retry already"
    assert "module_that_is_not_there" in reasons["nowhere"]
    assert reasons["uncompiled"] == "ModuleNotFoundError: there is no module broken_plugin_that_is_not_there"
    assert reasons["word"] == "TypeError: it names str, not a PolicyKind"
