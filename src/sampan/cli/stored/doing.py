"""`apply`, `diff` and `delete`: reads, plans, writes, and tells what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sampan.cli import kinds, output
from sampan.cli.options import Format, Result
from sampan.cli.problem import FAILED, USAGE, UserError
from sampan.cli.stored import given
from sampan.cli.stored.difference import difference
from sampan.cli.stored.place import Place, ask, choose
from sampan.cli.stored.plan import Step, to_apply, to_delete
from sampan.cli.stored.write import Written, stored, write
from sampan.consul.client import Client
from sampan.documents.kinds.secret import Secret
from sampan.model.codes import WRITTEN_MEANWHILE
from sampan.model.diagnostic import Diagnostic, has_errors, record
from sampan.model.names import Ref
from sampan.model.printable import one_line


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say."""

    consul: str = ""
    state: str = ""
    form: Result = Result.NAME
    dry_run: bool = False
    secrets: bool = False

    def place(self) -> Place:
        return choose(self.consul, self.state)


# ---- the commands


def apply(paths: Sequence[str], recursive: bool, settings: Settings) -> None:
    found = given.read(paths, recursive)
    if has_errors(found.diagnostics):
        # Consul need not be asked for that; what else is wrong is told with it all the same.
        _, more = to_apply(found.documents, {}, "", secrets=settings.secrets)
        _refuse((*found.diagnostics, *(item for item in more if item.code != WRITTEN_MEANWHILE)), settings.form)
    place = settings.place()
    steps, mistakes = ask(place, lambda client: _planned(client, found, settings.secrets))
    every = (*found.diagnostics, *mistakes)
    _refuse(every, settings.form)
    output.tell(f"Consul: {place}")
    _tell_mistakes(every)
    if settings.secrets and (names := _secrets(found, steps)):
        output.warn(f"who may read the KV can read what these hold: {', '.join(names)}")
    written = Written(steps) if settings.dry_run else ask(place, lambda client: write(client, steps))
    _report(place, steps, written, every, settings)


def diff(paths: Sequence[str], recursive: bool, form: Format, settings: Settings) -> bool:
    """Whether anything differs."""
    found = given.read(paths, recursive)
    _refuse(found.diagnostics, Result.NAME, USAGE)
    place = settings.place()
    # Secrets are masked here, so they are no mistake.
    steps, mistakes = ask(place, lambda client: _planned(client, found, secrets=True))
    _refuse((*found.diagnostics, *mistakes), Result.NAME, USAGE)
    output.tell(f"Consul: {place}")
    changes = [(step, difference(step)) for step in steps if step.what != "unchanged"]
    if form is not Format.TEXT:
        items = [{**_record(step, settings.dry_run), "diff": text} for step, text in changes]
        output.emit({"consul": place.target.address, "items": items}, form)
    elif changes:
        output.say("".join(_painted(text) for _, text in changes))
    return bool(changes)


def wanted(kind: str, name: str, namespace: str, paths: Sequence[str], recursive: bool) -> tuple[Ref, ...]:
    """What `delete` is about."""
    if "/" in kind and not name:
        kind, _, name = kind.partition("/")
    if bool(kind) == bool(paths):
        raise UserError("what is to be deleted?", "name KIND and NAME, or documents with -f PATH", exit_code=USAGE)
    if paths:
        found = given.read(paths, recursive)
        _refuse(found.diagnostics, Result.NAME)
        return tuple(document.object.ref for document in found.documents)
    if not name:
        raise UserError("which one? A name is missing", f"`sampan get {kind}` lists them", exit_code=USAGE)
    word = kinds.find(kind)
    return (Ref(word.group, word.kind, namespace if word.namespaced else "", name),)


def delete(refs: Sequence[Ref], ignore_not_found: bool, settings: Settings) -> None:
    place = settings.place()

    async def planned(client: Client) -> tuple[tuple[Step, ...], tuple[Ref, ...]]:
        return to_delete(refs, await stored(client, refs))

    steps, missing = ask(place, planned)
    output.tell(f"Consul: {place}")
    written = Written(steps) if settings.dry_run else ask(place, lambda client: write(client, steps))
    _report(place, steps, written, (), settings)
    if missing and not ignore_not_found:
        names = ", ".join(f"{ref.kind.lower()}/{ref.name}" for ref in missing)
        where = {ref.namespace for ref in missing if ref.namespace}
        within = f" in namespace {where.pop()}" if len(where) == 1 else ""
        raise UserError(f"not there{within}: {names}", f"`sampan get all -A --consul {place.target.address}` lists all")


# ---- their parts


async def _planned(
    client: Client, found: given.Given, secrets: bool
) -> tuple[tuple[Step, ...], tuple[Diagnostic, ...]]:
    there = await stored(client, [document.object.ref for document in found.documents])
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return to_apply(found.documents, there, now, secrets=secrets)


def _refuse(mistakes: Sequence[Diagnostic], form: Result, exit_code: int = FAILED) -> None:
    """Ends the command if any is an error; all are told."""
    if not has_errors(mistakes):
        return
    _tell_mistakes(mistakes)
    if form is not Result.NAME:
        output.emit({"items": [], "diagnostics": [record(item) for item in mistakes]}, form)
    errors, warnings = output.counts([record(item) for item in mistakes])
    raise UserError(f"{output.mistakes_text(errors, warnings)}; nothing was stored", exit_code=exit_code)


def _tell_mistakes(mistakes: Iterable[Diagnostic]) -> None:
    records = [record(item) for item in sorted(mistakes, key=lambda item: item.sort_key)]
    if records:
        output.tell(output.render_diagnostics(records, sys.stderr))


def _secrets(found: given.Given, steps: Sequence[Step]) -> list[str]:
    held = {document.object.ref for document in found.documents if isinstance(document.object.spec, Secret)}
    return [step.name for step in steps if step.ref in held]


def _report(
    place: Place, steps: Sequence[Step], written: Written, mistakes: Sequence[Diagnostic], settings: Settings
) -> None:
    """What was done, in the order of the documents; raises UserError if not all of it was."""
    keys = {step.key for step in written.done}
    done = [step for step in steps if step.key in keys or (step.what == "unchanged" and not written.conflicts)]
    if settings.form is not Result.NAME:
        items = [_record(step, settings.dry_run) for step in done]
        whole = {"consul": place.target.address, "items": items, "diagnostics": [record(item) for item in mistakes]}
        output.emit(whole, settings.form)
    elif done:
        tail = " (dry run)" if settings.dry_run else ""
        output.say("".join(f"{step.name} {step.what}{tail}\n" for step in done))
    if written.conflicts:
        names = ", ".join(step.name for step in written.conflicts)
        were = f"{len(written.done)} of {len(steps)} documents were written" if written.done else "nothing was written"
        hint = "`sampan diff -f …` shows what is there now; do it again if it is still right"
        raise UserError(f"somebody else changed this in the meantime: {names}; {were}", hint)


def _record(step: Step, dry_run: bool) -> dict[str, Any]:
    return {
        "object": step.name,
        "kind": step.ref.kind,
        "namespace": step.ref.namespace,
        "name": step.ref.name,
        "what": step.what,
        "dryRun": dry_run,
        "key": step.key,
        "from": step.place,
    }


def _painted(text: str) -> str:
    """In colours on a terminal, and without what would command it."""
    styles = {"+": output.GREEN, "-": output.RED, "@": output.CYAN}
    lines = [one_line(line) for line in text.splitlines()]
    return "".join(
        f"{output.paint(line, styles[line[0]], sys.stdout) if line[:1] in styles else line}\n" for line in lines
    )
