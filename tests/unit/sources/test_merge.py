"""Many sources to one Snapshot: what counts, what is held, what is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import Broken, Loaded, load
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object, Origin
from sampan.model.names import Ref
from sampan.model.snapshot import Snapshot
from sampan.sources.last_good import LastGood, difference
from sampan.sources.merge import Merged, merge, start
from sampan.sources.source import Records, SourceHealth, under

BROKEN = "x: [\n"


def service(name: str, port: int = 80) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"


def bad_service(name: str) -> str:
    return service(name).replace("port: 80", "port: no")


def ref(name: str) -> Ref:
    return Ref("", "Service", "default", name)


class World:
    """Feeds texts to `merge` as a source would."""

    def __init__(self, last_good: LastGood | None = None) -> None:
        self.merged: Merged = start(Snapshot(), BUILT_IN, last_good)
        self.loaded: dict[tuple[str, str], Loaded] = {}

    def put(self, texts: Mapping[str, str], source: str = "files", whole: bool = False) -> World:
        changed = {}
        for key, text in texts.items():
            before = self.loaded.get((source, key))
            changed[key] = load(text, key, BUILT_IN, source, before.memo if before else None)
            self.loaded[source, key] = changed[key]
        return self.say(Records(source, changed, whole=whole))

    def remove(self, *keys: str, source: str = "files") -> World:
        return self.say(Records(source, removed=frozenset(keys)))

    def say(self, *records: Records) -> World:
        self.merged = merge(self.merged, records)
        return self

    @property
    def names(self) -> list[str]:
        return sorted(item.name for item in self.merged.snapshot.objects)

    @property
    def said(self) -> list[tuple[codes.Code, str, int]]:
        return [(item.code, item.origin.file, item.origin.line) for item in self.merged.diagnostics]

    def object(self, name: str) -> Object:
        return self.merged.snapshot.objects[ref(name)]


def unreadable(key: str) -> Loaded:
    origin = Origin("files", key)
    return Loaded(diagnostics=(Diagnostic(codes.UNREADABLE_FILE, "gone bad", origin),), broken=(Broken(None, origin),))


def test_objects_of_all_sources_are_one_snapshot() -> None:
    world = World().put({"a.yaml": service("a")}).put({"key": service("b")}, source="consul")
    assert world.names == ["a", "b"]
    assert world.merged.snapshot.of_kind("", "Service") == (world.object("a"), world.object("b"))
    assert world.merged.places[ref("b")] == Origin("consul", "key", 1, 1)


def test_unchanged_objects_stay_and_removed_ones_go() -> None:
    world = World().put({"a.yaml": service("a") + "---\n" + service("b"), "c.yaml": service("c")})
    a, c = world.object("a"), world.object("c")
    world.put({"a.yaml": "#\n---\n" + service("a")})
    assert world.names == ["a", "c"]
    assert (world.object("a"), world.object("c")) == (a, c)
    assert world.merged.places[ref("a")].line == 3
    world.remove("a.yaml")
    assert world.names == ["c"]
    assert ref("a") not in world.merged.places
    assert world.merged.diagnostics == ()


def test_nothing_new_is_the_same_snapshot() -> None:
    world = World().put({"a.yaml": service("a")})
    before = world.merged
    world.put({"a.yaml": service("a")})
    assert world.merged.snapshot is before.snapshot
    assert difference(before.last_good, world.merged.last_good) == {}


def test_the_first_of_two_definitions_counts_wherever_it_comes_from_first() -> None:
    for order in (["a.yaml", "b.yaml"], ["b.yaml", "a.yaml"]):
        world = World()
        for key in order:
            world.put({key: service("x", 80 if key == "a.yaml" else 81)})
        assert world.object("x").spec.ports[0].port == 80
        found = world.merged.diagnostics
        assert [(item.code, item.origin.file, item.origin.line, item.object) for item in found] == [
            (codes.DUPLICATE_OBJECT, "b.yaml", 1, ref("x"))
        ]
        assert found[0].reason == (
            "Service/default/x is already defined at a.yaml:1:1, which counts; this one has no effect"
        )
        assert found[0].hint == "remove one of the two, or rename it"


def test_the_second_counts_when_the_first_goes() -> None:
    world = World().put({"a.yaml": service("x", 80), "b.yaml": service("x", 81)}).remove("a.yaml")
    assert world.object("x").spec.ports[0].port == 81
    assert world.merged.diagnostics == ()


def test_a_document_twice_in_one_file() -> None:
    world = World().put({"a.yaml": service("x", 80) + "---\n" + service("x", 81) + "---\n" + service("x", 82)})
    assert world.object("x").spec.ports[0].port == 80
    assert world.said == [(codes.DUPLICATE_OBJECT, "a.yaml", 6), (codes.DUPLICATE_OBJECT, "a.yaml", 11)]
    world.put({"a.yaml": service("x", 82)})
    assert world.object("x").spec.ports[0].port == 82
    assert world.merged.diagnostics == ()


def test_two_sources_may_define_the_same() -> None:
    world = World().put({"k": service("x", 80)}, source="consul").put({"k": service("x", 81)}, source="files")
    assert world.object("x").spec.ports[0].port == 80
    assert world.merged.diagnostics[0].origin.source == "files"


def test_a_broken_document_keeps_its_last_good_version_and_only_that() -> None:
    world = World().put({"a.yaml": service("a") + "---\n" + service("b") + "---\n" + service("c")})
    before = world.object("a")
    world.put({"a.yaml": bad_service("a") + "---\n" + service("c", 81)})
    assert world.names == ["a", "c"]
    assert world.object("a") is before
    assert world.object("c").spec.ports[0].port == 81
    assert world.said == [(codes.LAST_GOOD, "a.yaml", 1), (codes.WRONG_TYPE, "a.yaml", 4)]
    assert world.merged.diagnostics[0].reason == "until this can be read, this stays as it was: Service/default/a"
    world.put({"a.yaml": service("c", 81)})
    assert world.names == ["c"]
    assert world.merged.diagnostics == ()


def test_a_document_that_cannot_be_named_keeps_everything_that_is_not_there() -> None:
    world = World().put({"a.yaml": service("a") + "---\n" + service("b"), "z.yaml": service("z")})
    world.put({"a.yaml": BROKEN + "---\n" + service("b", 81)})
    assert world.names == ["a", "b", "z"]
    assert world.object("b").spec.ports[0].port == 81
    world.put({"a.yaml": BROKEN + "---\n" + service("b", 82)})
    assert world.names == ["a", "b", "z"]
    world.remove("a.yaml")
    assert world.names == ["z"]


def test_an_unreadable_file_keeps_everything_it_had() -> None:
    world = World().put({"a.yaml": service("a") + "---\n" + service("b")})
    world.say(Records("files", {"a.yaml": unreadable("a.yaml")}))
    assert world.names == ["a", "b"]
    assert world.said == [(codes.UNREADABLE_FILE, "a.yaml", 0), (codes.LAST_GOOD, "a.yaml", 0)]


def test_a_document_that_was_never_good_has_nothing_to_keep() -> None:
    world = World().put({"a.yaml": bad_service("a")})
    assert world.names == []
    assert world.said == [(codes.WRONG_TYPE, "a.yaml", 4)]


def test_what_is_held_gives_way_to_a_fresh_definition_elsewhere() -> None:
    world = World().put({"a.yaml": service("x", 80)}).put({"a.yaml": BROKEN}).put({"b.yaml": service("x", 81)})
    assert world.object("x").spec.ports[0].port == 81
    assert codes.DUPLICATE_OBJECT not in {code for code, _, _ in world.said}


def test_a_whole_record_removes_what_it_does_not_name() -> None:
    world = World().put({"a": service("a"), "b": service("b")}).put({"k": service("k")}, source="other")
    world.put({"b": service("b")}, whole=True)
    assert world.names == ["b", "k"]


def test_what_is_unavailable_is_kept() -> None:
    world = World().put({"d/a.yaml": service("a"), "e/b.yaml": service("b")})
    gone = Diagnostic(codes.MISSING_PATH, "it vanished", Origin("files", "d"))
    world.say(Records("files", whole=True, unavailable=frozenset({"d"}), health=SourceHealth(False, (gone,))))
    assert world.names == ["a"]
    assert world.said == [(codes.MISSING_PATH, "d", 0)]
    world.put({}, whole=True)
    assert world.names == []
    assert world.said == []


def test_keys_under_a_folder() -> None:
    assert under("d/a.yaml", frozenset({"d"}))
    assert under("d", frozenset({"d"}))
    assert under("/a.yaml", frozenset({"/"}))
    assert not under("dd/a.yaml", frozenset({"d"}))


def test_last_good_survives_a_restart() -> None:
    before = World().put({"a.yaml": "#\n" + service("a", 80) + "---\n" + service("b")}).merged.last_good
    after = World(before).put({"a.yaml": bad_service("a") + "---\n" + service("b", 81)}, whole=True)
    assert after.names == ["a", "b"]
    assert after.object("a").spec.ports[0].port == 80
    assert after.merged.places[ref("a")].line == 2
    assert after.object("b").spec.ports[0].port == 81
    assert after.said[0] == (codes.LAST_GOOD, "a.yaml", 1)


def test_last_good_of_a_syntax_error_or_a_vanished_folder_survives_a_restart() -> None:
    before = World().put({"d/a.yaml": service("a"), "b.yaml": service("b")}).merged.last_good
    assert World(before).put({"d/a.yaml": BROKEN}, whole=True).names == ["a"]
    away = World(before).say(Records("files", whole=True, unavailable=frozenset({"d"})))
    assert away.names == ["a"]
    assert set(away.merged.last_good.saved) == {("files", "d/a.yaml")}
    assert away.put({"d/a.yaml": service("a", 82)}).object("a").spec.ports[0].port == 82


def test_last_good_of_what_is_readable_again_is_not_brought_back() -> None:
    before = World().put({"a.yaml": service("a") + "---\n" + service("b")}).merged.last_good
    assert World(before).put({"a.yaml": service("a")}, whole=True).names == ["a"]
    assert World(before).put({}, whole=True).merged.last_good == LastGood()


def test_what_to_persist_is_what_changed() -> None:
    world = World().put({"a.yaml": service("a"), "b.yaml": service("b")})
    first = world.merged.last_good
    second = world.put({"a.yaml": service("a", 81)}).remove("b.yaml").merged.last_good
    changes = difference(first, second)
    assert {key: [saved.ref for saved in items] for key, items in changes.items()} == {
        ("files", "a.yaml"): [ref("a")],
        ("files", "b.yaml"): [],
    }
    assert "port: 81" in changes["files", "a.yaml"][0].text
    assert "port" not in repr(changes)


def test_kinds_of_others_are_told_once_for_all_files() -> None:
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
    world = World().put({"b.yaml": text, "a.yaml": text})
    assert [(item.code, item.origin.file, item.reason) for item in world.merged.diagnostics] == [
        (codes.SKIPPED_KIND, "a.yaml", "Deployment of apps is none of ours; left alone (and 1 more)")
    ]
    assert world.remove("a.yaml", "b.yaml").merged.diagnostics == ()


def test_a_secret_with_files_comes_back_with_them() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {files.sampan.dev/tls.key: k.pem}}\n"
    loaded = load(text, "a.yaml", BUILT_IN)
    document = loaded.documents[0]
    item = replace(document.object, spec=document.object.spec.with_files({"tls.key": b"hunter2"}))
    good = replace(loaded, documents=(replace(document, object=item),))
    before = World().say(Records("files", {"a.yaml": good})).merged.last_good
    assert "hunter2" not in repr(before)
    after = World(before).say(Records("files", {"a.yaml": unreadable("a.yaml")}, whole=True))
    secret = after.merged.snapshot.objects[Ref("", "Secret", "default", "a")].spec
    assert secret.value("tls.key").reveal() == b"hunter2"
