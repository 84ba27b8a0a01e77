"""Entry points that cannot be used: for tests."""

from __future__ import annotations

from dataclasses import replace

from sampan.policies.retry import POLICY as RETRY

WORD = "not a policy kind"
NAMESAKE = replace(RETRY)
"""A policy whose name is taken."""
UNCOMPILED = replace(RETRY, kind="Uncompiled", compiler="broken_plugin_that_is_not_there")
