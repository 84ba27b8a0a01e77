"""Envoy's own verdict on a configuration."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

import pytest
from proxy_harness import bootstrap, free_port, http_listener

from sampan.proxy import binary
from sampan.proxy.trial import TrialError, Trials

pytestmark = pytest.mark.envoy


def verdict(content: bytes) -> str | None:
    return asyncio.run(Trials(binary.find()).validate(content))


def test_envoy_takes_what_is_right() -> None:
    assert verdict(json.dumps(bootstrap([http_listener(free_port())], 1)).encode()) is None


def test_envoy_says_what_is_wrong_and_only_that() -> None:
    content = {"static_resources": {"listeners": [{"name": "nowhere"}]}}
    assert verdict(json.dumps(content).encode()) == "error adding listener named 'nowhere': address is necessary"


def test_what_is_no_configuration_is_not_repeated() -> None:
    said = verdict(b'{"static_resources": {"secrets": [{"name": "s", "oops": "PRIVATE KEY"}]}}')
    assert said is not None
    assert "oops" in said
    assert "PRIVATE KEY" not in said


def test_several_at_once_take_turns_and_leave_no_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    async def scenario() -> list[str | None]:
        trials = Trials(binary.find())
        return await asyncio.gather(*(trials.validate(b"{}" if odd else b"{") for odd in (0, 1, 0, 1, 0)))

    assert [said is None for said in asyncio.run(scenario())] == [False, True, False, True, False]
    assert list(folder.iterdir()) == []


def test_an_envoy_that_hangs_is_not_waited_for(folder: Path) -> None:
    hanging = folder / "envoy"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    with pytest.raises(TrialError, match="no verdict within"):
        asyncio.run(Trials(hanging, timeout=0.2).validate(b"{}"))


def test_an_envoy_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(TrialError, match="cannot be started"):
        asyncio.run(Trials(folder / "nothing").validate(b"{}"))


def test_a_folder_for_temporary_files_that_cannot_be_used_is_said(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nothing"))
    with pytest.raises(TrialError, match="no file can be written for a trial"):
        verdict(b"{}")
