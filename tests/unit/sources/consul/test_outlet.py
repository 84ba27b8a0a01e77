"""What goes out: together what comes together, and to the disk a while later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.sources.consul.convert import Key, Registered, Setting, registered
from sampan.sources.consul.outlet import Outlet
from sampan.sources.source import Records, SourceHealth

from .answers import entry

SAD = SourceHealth(False, (Diagnostic(codes.REGISTRY_AWAY, "x", Origin("consul")),))


def item(name: str, port: int = 1) -> Registered:
    return registered(Key("", name), [entry(name=name, port=port)], Setting(datacenter="dc1"))


def test_what_comes_in_one_turn_goes_out_together() -> None:
    async def main() -> None:
        said: list[Records] = []
        outlet = Outlet("consul", said.append, lambda changes: None)
        outlet.put(Key("", "early"), item("early"))
        outlet.tell(SAD)
        assert said == []
        outlet.begin([item("early")])
        assert said[0].whole
        assert set(said[0].changed) == {"/early"}
        assert said[0].health is SAD
        for port in range(1, 11):
            outlet.put(Key("", "a"), item("a", port))
        outlet.put(Key("", "b"), item("b"))
        outlet.put(Key("", "b"), None)
        await asyncio.sleep(0)
        (records,) = said[1:]
        assert [each.spec.port for each in records.changed["/a"].objects if each.ref.kind == "Instance"] == [10]
        assert (set(records.changed), records.removed, records.whole) == ({"/a"}, {"/b"}, False)
        outlet.tell(SAD)  # no news
        await asyncio.sleep(0)
        assert len(said) == 2
        outlet.close()

    asyncio.run(main())


def test_what_is_kept_is_the_last_of_each() -> None:
    async def main() -> None:
        kept: list[Mapping[str, bytes | None]] = []
        outlet = Outlet("consul", lambda records: None, kept.append)
        outlet.begin([])
        outlet.put(Key("", "a"), item("a", 1))
        outlet.put(Key("", "a"), item("a", 2))
        outlet.put(Key("", "b"), None)
        assert kept == []
        outlet.close()
        assert len(kept) == 1
        assert kept[0]["/b"] is None
        assert b'"port":2' in (kept[0]["/a"] or b"")
        outlet.close()
        assert len(kept) == 1

    asyncio.run(main())
