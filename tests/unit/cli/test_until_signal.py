"""Signals cancel once, so that what runs can clean up."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from sampan.cli.until_signal import INTERRUPTED, run_until_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_once_and_cleaning_up_goes_on(number: signal.Signals) -> None:
    cleaned = []

    async def body() -> int:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
            cleaned.append(True)
        return 0

    assert run_until_signal(body) == INTERRUPTED
    assert cleaned == [True]


def test_what_ends_by_itself_gives_its_result() -> None:
    async def body() -> int:
        return 7

    assert run_until_signal(body) == 7
