"""Files as they are found, with real files and a clock that the test moves."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.model import codes
from sampan.model.snapshot import Snapshot
from sampan.sources.files.convert import BROKEN_PATIENCE, SHRUNK_PATIENCE
from sampan.sources.files.root import NEVER
from sampan.sources.files.tree import Tree
from sampan.sources.merge import Merged, merge, start
from sampan.sources.source import Records

NOBODY = 65534

PEM = "-----BEGIN X-----\n{}\n-----END X-----\n"


def service(name: str, port: int = 80) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"


def secret(name: str, path: str) -> str:
    annotation = f"files.sampan.dev/tls.key: {path}"
    return f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  annotations:\n    {annotation}\n"


class Desk:
    """A folder of documents, the tree over it, and the merged result."""

    def __init__(self, folder: Path, *paths: str) -> None:
        self.folder, self.now = folder, 100.0
        self.tree = Tree([str(folder / path) for path in paths or ["."]], BUILT_IN, "files")
        self.merged: Merged = start(Snapshot(), BUILT_IN)
        self.last = self.tree.read_all(self.now)
        self.merged = merge(self.merged, [self.last])

    def write(self, name: str, text: str) -> Desk:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return self.tell(name)

    def remove(self, name: str) -> Desk:
        (self.folder / name).unlink()
        return self.tell(name)

    def tell(self, *names: str, everything: bool = False) -> Desk:
        records = self.tree.update([os.path.normpath(self.folder / name) for name in names], self.now, everything)
        return self._take(records)

    def wait(self, seconds: float) -> Desk:
        self.now += seconds
        return self.tell()

    def _take(self, records: Records | None) -> Desk:
        self.last = records or Records("files")
        if records is not None:
            self.merged = merge(self.merged, [records])
        return self

    @property
    def names(self) -> list[str]:
        return sorted(item.name for item in self.merged.snapshot.objects)

    @property
    def said(self) -> list[str]:
        return [item.code.id for item in self.merged.diagnostics]

    @property
    def ports(self) -> dict[str, int]:
        items = self.merged.snapshot.of_kind("", "Service")
        return {item.ref.name: item.spec.ports[0].port for item in items}

    def value(self, name: str) -> bytes:
        found = [item for item in self.merged.snapshot.of_kind("", "Secret") if item.ref.name == name]
        value: bytes = found[0].spec.value("tls.key").reveal()
        return value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def test_all_documents_below_a_folder(folder: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.json", "sub/deep/d.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(service(Path(name).stem))
    for name in (".hidden.yaml", "x.yaml~", "#x.yaml#", ".x.yaml.swp", "4913", "x.txt", ".git/x.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(service("never"))
    desk = Desk(folder)
    assert desk.names == ["a", "b", "c", "d"]
    assert desk.last.whole
    assert desk.said == []


def test_messages_name_files_as_the_user_did(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.yaml").write_text("x: [\n")
    monkeypatch.chdir(folder.parent)
    assert list(Tree(["docs"], BUILT_IN, "files").read_all(0).changed) == ["docs/a.yaml"]
    assert list(Tree(["./docs/"], BUILT_IN, "files").read_all(0).changed) == ["docs/a.yaml"]
    assert list(Tree(["docs/a.yaml", "docs"], BUILT_IN, "files").read_all(0).changed) == ["docs/a.yaml"]


def test_an_edit_costs_one_file(folder: Path) -> None:
    for index in range(20):
        (folder / f"{index}.yaml").write_text(service(f"s{index}"))
    desk = Desk(folder).write("7.yaml", service("s7", 81))
    assert list(desk.last.changed) == [str(folder / "7.yaml")]
    assert desk.ports["s7"] == 81


def test_a_notice_without_a_change_says_nothing(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder)
    assert desk.tree.update([str(folder / "a.yaml")], desk.now) is None
    os.utime(folder / "a.yaml", (1, 1))
    assert desk.tree.update([str(folder / "a.yaml")], desk.now, everything=True) is None


def test_a_half_written_file_is_never_seen(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder).write("a.yaml", service("a", 81)[:60])
    assert (desk.ports, desk.said) == ({"a": 80}, [])
    assert desk.tree.next_deadline == pytest.approx(desk.now + BROKEN_PATIENCE)
    desk.now += 0.05
    desk.write("a.yaml", service("a", 81))
    assert (desk.ports, desk.said) == ({"a": 81}, [])
    assert desk.tree.next_deadline == NEVER


def test_a_file_truncated_before_it_is_written_is_never_seen_empty(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder).write("a.yaml", "")
    assert (desk.names, desk.said) == (["a"], [])
    assert desk.write("a.yaml", service("a", 81)).ports == {"a": 81}


def test_a_file_that_stays_broken_is_told_and_the_last_good_stays(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder).write("a.yaml", "x: [\n")
    assert desk.said == []
    desk.wait(BROKEN_PATIENCE - 0.01)
    assert desk.said == []
    desk.wait(0.02)
    assert (desk.names, desk.said) == (["a"], ["SMP0104", "SMP0205"])
    desk.write("a.yaml", service("a", 81))
    assert (desk.ports, desk.said) == ({"a": 81}, [])


def test_a_file_that_is_emptied_for_good_loses_its_objects(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder).write("a.yaml", "")
    assert desk.wait(BROKEN_PATIENCE).names == []


def test_a_file_without_end_is_taken_in_the_end(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder)
    for index in range(30):
        desk.now += 0.1
        desk.write("a.yaml", f"x: [{index}\n")
    assert desk.said == ["SMP0104", "SMP0205"]


def test_a_removed_file_goes_and_one_that_is_replaced_does_not(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    (folder / "b.yaml").write_text(service("b"))
    desk = Desk(folder).remove("a.yaml").remove("b.yaml")
    assert desk.names == ["a", "b"]
    desk.write("b.yaml", service("b", 81))
    assert desk.wait(SHRUNK_PATIENCE).ports == {"b": 81}
    assert desk.said == []


def test_a_new_folder_and_one_that_moves(folder: Path) -> None:
    desk = Desk(folder)
    (folder / "new").mkdir()
    (folder / "new" / "a.yaml").write_text(service("a"))
    assert desk.tell("new").names == ["a"]
    (folder / "new").rename(folder / "other")
    desk.tell("new", "other")
    assert desk.wait(SHRUNK_PATIENCE).last.removed == {str(folder / "new/a.yaml")}
    assert (desk.names, desk.said) == (["a"], [])


def test_a_mounted_config_map(folder: Path) -> None:
    """Kubernetes swaps the symbolic link `..data`, through which all files go."""
    for version in ("..v1", "..v2"):
        (folder / version).mkdir()
    (folder / "..v1" / "a.yaml").write_text(service("a", 80))
    (folder / "..v2" / "a.yaml").write_text(service("a", 81))
    (folder / "..data").symlink_to("..v1")
    (folder / "a.yaml").symlink_to("..data/a.yaml")
    desk = Desk(folder)
    assert desk.ports == {"a": 80}
    (folder / "..tmp").symlink_to("..v2")
    (folder / "..tmp").rename(folder / "..data")
    assert desk.tell("..data").ports == {"a": 81}
    assert desk.said == []


def test_a_symbolic_link_that_the_user_made_may_lead_out(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text(service("a"))
    (folder / "a.yaml").symlink_to(outside / "a.yaml")
    (folder / "loop").symlink_to(folder)
    (folder / "self.yaml").symlink_to("self.yaml")
    (folder / "nowhere.yaml").symlink_to("nothing")
    desk = Desk(folder)
    assert desk.names == ["a"]
    assert desk.said == ["SMP0202", "SMP0202"]
    assert str(outside) in desk.tree.watched()[1]


def test_a_file_in_a_folder_with_two_names_is_there_once_and_follows_its_edits(folder: Path) -> None:
    """As `enabled/shop`, a link to `available/shop`: which of the two names the walk takes is the folder's affair."""
    for name in ("available", "enabled", "a", "z"):
        (folder / name).mkdir()
    (folder / "available" / "shop").mkdir()
    (folder / "available" / "shop" / "a.yaml").write_text(service("a", 80))
    for name in ("enabled", "a", "z"):
        (folder / name / "shop").symlink_to("../available/shop")
    desk = Desk(folder)
    for port in (81, 82):
        assert desk.write("available/shop/a.yaml", service("a", port)).ports == {"a": port}
        assert desk.said == []
    desk.write("available/shop/b.yaml", service("b", 83))
    assert (desk.names, desk.said) == (["a", "b"], [])


def test_what_a_new_link_leads_to_is_watched(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text(service("a", 80))
    (folder / "b.yaml").write_text(service("b", 80))
    desk = Desk(folder)
    (folder / "a.yaml").symlink_to(outside / "a.yaml")
    assert desk.tell("a.yaml").names == ["a", "b"]
    assert str(outside) in desk.tree.watched()[1]


def test_a_link_whose_end_vanishes_keeps_the_last_good_until_it_is_back(folder: Path, tmp_path: Path) -> None:
    """As when what holds the files is unmounted, and the links to them are somewhere else."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text(service("a"))
    (folder / "a.yaml").symlink_to(outside / "a.yaml")
    desk = Desk(folder)
    outside.rename(tmp_path / "away")
    desk.tell(everything=True)
    assert (desk.names, desk.said) == (["a"], [])
    desk.wait(BROKEN_PATIENCE)
    assert (desk.names, desk.said) == (["a"], ["SMP0202", "SMP0205"])
    assert "which is not there" in desk.merged.diagnostics[0].reason
    (tmp_path / "away").rename(outside)
    desk.tell(everything=True)
    assert (desk.wait(SHRUNK_PATIENCE).names, desk.said) == (["a"], [])
    (folder / "a.yaml").unlink()
    desk.tell("a.yaml").wait(SHRUNK_PATIENCE)
    assert (desk.names, desk.said) == ([], [])


def test_a_vanished_folder_keeps_everything_until_it_is_back(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    (folder / "b.yaml").write_text(service("b"))
    desk = Desk(folder)
    folder.rename(folder.parent / "away")
    desk.tell(".", "a.yaml")
    assert (desk.names, desk.said) == (["a", "b"], [])
    desk.wait(BROKEN_PATIENCE)
    assert (desk.names, desk.said) == (["a", "b"], ["SMP0204"])
    assert desk.merged.diagnostics[0].reason == "it vanished"
    assert desk.wait(60).names == ["a", "b"]
    (folder.parent / "away" / "b.yaml").unlink()
    (folder.parent / "away").rename(folder)
    desk.tell(".")
    desk.wait(SHRUNK_PATIENCE)
    assert (desk.names, desk.said) == (["a"], [])


def test_an_edit_just_before_its_folder_vanishes_is_in_force_when_it_is_back(folder: Path) -> None:
    """It looked half-done (another object than before) and was waited for when the folder went."""
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder)
    assert desk.write("a.yaml", service("b")).names == ["a"]
    folder.rename(folder.parent / "away")
    desk.tell(".", "a.yaml").wait(BROKEN_PATIENCE)
    assert (desk.names, desk.said) == (["a"], ["SMP0204"])
    (folder.parent / "away").rename(folder)
    desk.tell(".").wait(SHRUNK_PATIENCE)
    assert (desk.names, desk.said) == (["b"], [])


def test_an_empty_folder_in_the_place_of_another_has_no_documents(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder)
    folder.rename(folder.parent / "away")
    folder.mkdir()
    desk.tell(".")
    assert desk.wait(SHRUNK_PATIENCE).names == []


def test_a_mount_that_is_gone_leaves_an_empty_folder_on_another_device(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder)
    (folder / "a.yaml").unlink()
    monkeypatch.setattr("sampan.sources.files.root._identity", lambda _path: (-1, -1))
    desk.tell(".")
    assert (desk.wait(1).names, desk.said) == (["a"], ["SMP0204"])


def test_a_path_that_is_not_there_yet(folder: Path) -> None:
    desk = Desk(folder, "later.yaml", "later")
    assert [(item.code, item.reason) for item in desk.merged.diagnostics] == [
        (codes.MISSING_PATH, "it is not there")
    ] * 2
    desk.write("later.yaml", service("a"))
    (folder / "later").mkdir()
    desk.write("later/b.yaml", service("b"))
    assert (desk.names, desk.said) == (["a", "b"], [])


def test_a_single_file_that_is_replaced_or_vanishes(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    (folder / "b.yaml").write_text(service("b"))
    desk = Desk(folder, "a.yaml")
    assert desk.names == ["a"]
    (folder / "tmp").write_text(service("a", 81))
    (folder / "tmp").rename(folder / "a.yaml")
    assert desk.tell("a.yaml", "tmp", "b.yaml").ports == {"a": 81}
    desk.remove("a.yaml")
    assert (desk.wait(0.2).names, desk.said) == (["a"], [])
    assert (desk.wait(0.2).names, desk.said) == (["a"], ["SMP0204"])
    assert desk.write("a.yaml", service("a", 82)).ports == {"a": 82}
    assert desk.said == []


def test_what_is_no_file_is_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "null.yaml").symlink_to("/dev/zero")
    (folder / "folder.yaml").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s.yaml"))
        (folder / "a.yaml").write_text(service("a"))
        desk = Desk(folder)
    assert desk.names == ["a"]
    assert [(item.code, Path(item.origin.file).name, item.reason) for item in desk.merged.diagnostics] == [
        (codes.NOT_A_FILE, "null.yaml", "it is a device"),
        (codes.NOT_A_FILE, "pipe.yaml", "it is a FIFO"),
        (codes.NOT_A_FILE, "s.yaml", "it is a socket"),
    ]


def test_a_huge_file_is_never_read(folder: Path) -> None:
    with (folder / "huge.yaml").open("wb") as file:
        file.truncate(10 * 1024**4)
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder)
    assert (desk.names, desk.said) == (["a"], ["SMP0102"])


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """Root may read everything: as root, the test is run as someone else, who owns the folder."""
    was = os.geteuid()
    with tempfile.TemporaryDirectory() as name:  # not tmp_path, which lies in a folder of root's
        if was == 0:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(was)


def test_what_may_not_be_read_keeps_its_last_good(nobodys_folder: Path) -> None:
    folder = nobodys_folder
    (folder / "a.yaml").write_text(service("a"))
    (folder / "sub").mkdir()
    (folder / "sub" / "b.yaml").write_text(service("b"))
    desk = Desk(folder)
    (folder / "a.yaml").chmod(0)
    (folder / "sub").chmod(0)
    desk.tell("a.yaml", "sub")
    desk.wait(BROKEN_PATIENCE)
    assert desk.names == ["a", "b"]
    assert sorted(desk.said) == ["SMP0202", "SMP0202", "SMP0205"]
    (folder / "sub").chmod(0o700)


def test_a_file_that_cannot_be_read_keeps_its_last_good(folder: Path) -> None:
    (folder / "a.yaml").write_text(service("a"))
    desk = Desk(folder)
    (folder / "a.yaml").unlink()
    (folder / "a.yaml").symlink_to("a.yaml")
    desk.tell("a.yaml").wait(BROKEN_PATIENCE)
    assert desk.names == ["a"]
    assert sorted(desk.said) == ["SMP0202", "SMP0205"]


def test_binary_and_latin_1_files(folder: Path) -> None:
    (folder / "a.yaml").write_bytes(b"\x7fELF\0\0")
    (folder / "b.yaml").write_bytes(b"a: \xe9\n")
    (folder / "c.yaml").write_text(service("c"))
    desk = Desk(folder)
    assert (desk.names, desk.said) == (["c"], ["SMP0101", "SMP0101"])


def test_a_secret_from_files_follows_them(folder: Path) -> None:
    (folder / "certs").mkdir()
    (folder / "certs" / "k.pem").write_text(PEM.format("one"))
    (folder / "a.yaml").write_text(secret("s", "certs/k.pem"))
    desk = Desk(folder)
    assert b"one" in desk.value("s")
    before = next(iter(desk.merged.snapshot.objects.values()))
    desk.write("certs/k.pem", PEM.format("two"))
    assert b"one" in desk.value("s")
    desk.wait(SHRUNK_PATIENCE)
    assert b"two" in desk.value("s")
    after = next(iter(desk.merged.snapshot.objects.values()))
    assert after is not before
    desk.write("b.yaml", service("b")).write("certs/k.pem", PEM.format("two"))
    assert next(iter(desk.merged.snapshot.of_kind("", "Secret"))) is after


def test_a_certificate_and_its_key_are_taken_together(folder: Path) -> None:
    text = secret("s", "k.pem") + "    files.sampan.dev/tls.crt: c.pem\n"
    for name in ("k.pem", "c.pem"):
        (folder / name).write_text(PEM.format("one"))
    (folder / "a.yaml").write_text(text)
    desk = Desk(folder).write("c.pem", PEM.format("two"))
    desk.now += 0.05
    desk.write("k.pem", PEM.format("two"))
    assert desk.last.changed == {}
    assert len(desk.wait(SHRUNK_PATIENCE).last.changed) == 1
    assert b"two" in desk.value("s")


def test_a_half_written_key_is_never_seen(folder: Path) -> None:
    (folder / "k.pem").write_text(PEM.format("one"))
    (folder / "a.yaml").write_text(secret("s", "k.pem"))
    desk = Desk(folder).write("k.pem", PEM.format("two")[:20])
    assert desk.wait(SHRUNK_PATIENCE).last.changed == {}
    desk.write("k.pem", PEM.format("two"))
    desk.wait(SHRUNK_PATIENCE)
    assert b"two" in desk.value("s")


def test_a_vanished_key_keeps_the_last_good_secret(folder: Path) -> None:
    (folder / "k.pem").write_text(PEM.format("one"))
    (folder / "a.yaml").write_text(secret("s", "k.pem"))
    desk = Desk(folder).remove("k.pem").wait(BROKEN_PATIENCE)
    assert b"one" in desk.value("s")
    assert sorted(desk.said) == ["SMP0205", "SMP0206"]
    desk.write("k.pem", PEM.format("two")).wait(SHRUNK_PATIENCE)
    assert b"two" in desk.value("s")
    assert desk.said == []


@pytest.mark.parametrize(
    "path", ["../secret.pem", "/etc/hostname", "link.pem", "way/secret.pem", "sub/../../secret.pem"]
)
def test_a_document_reaches_no_file_outside(folder: Path, path: str) -> None:
    (folder.parent / "secret.pem").write_text("hunter2")
    (folder / "link.pem").symlink_to(folder.parent / "secret.pem")
    (folder / "way").symlink_to(folder.parent)
    (folder / "a.yaml").write_text(secret("s", path))
    desk = Desk(folder, "a.yaml")
    assert (desk.names, desk.said) == ([], ["SMP0206"])
    found = desk.merged.diagnostics[0]
    assert (found.origin.line, found.field_text) == (6, "metadata.annotations.files.sampan.dev/tls.key")
    assert "hunter2" not in repr(desk.merged)


@pytest.mark.parametrize("path", ["certs", "pipe.pem", "huge.pem", "nothing.pem"])
def test_a_document_names_only_regular_files(folder: Path, path: str) -> None:
    (folder / "certs").mkdir()
    os.mkfifo(folder / "pipe.pem")
    with (folder / "huge.pem").open("wb") as file:
        file.truncate(2 * 1024**2)
    (folder / "a.yaml").write_text(secret("s", path))
    desk = Desk(folder)
    assert (desk.names, desk.said) == ([], ["SMP0206"])


def test_a_key_that_comes_later(folder: Path) -> None:
    (folder / "a.yaml").write_text(secret("s", "certs/new/k.pem"))
    desk = Desk(folder, "a.yaml")
    assert desk.said == ["SMP0206"]
    assert desk.tree.watched()[1] == {str(folder)}
    (folder / "certs" / "new").mkdir(parents=True)
    desk.tell("certs")
    assert str(folder / "certs" / "new") in desk.tree.watched()[1]
    desk.write("certs/new/k.pem", PEM.format("one")).wait(SHRUNK_PATIENCE)
    assert (desk.names, desk.said) == (["s"], [])


def test_a_key_through_swapped_links(folder: Path) -> None:
    for version in ("one", "two"):
        (folder / version).mkdir()
        (folder / version / "k.pem").write_text(PEM.format(version))
    (folder / "live").symlink_to("one")
    (folder / "a.yaml").write_text(secret("s", "live/k.pem"))
    desk = Desk(folder)
    (folder / "next").symlink_to("two")
    (folder / "next").rename(folder / "live")
    desk.tell("next", "live").wait(SHRUNK_PATIENCE)
    assert b"two" in desk.value("s")


def test_a_name_that_is_no_utf_8_is_shown_as_text(folder: Path) -> None:
    """The source's names go into JSON and into SQLite, which take only text."""
    (folder / os.fsdecode(b"b\xe4ckerei.yaml")).write_text(service("a"))
    below = folder / os.fsdecode(b"\xff")
    below.mkdir()
    (below / "bad.yaml").write_text("kind: [")
    records = Desk(folder).last
    assert {os.path.basename(name) for name in records.changed} == {"b\\xe4ckerei.yaml", "bad.yaml"}
    for name, loaded in records.changed.items():
        name.encode()
        str(loaded.diagnostics).encode()
