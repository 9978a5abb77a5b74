"""Shared by the scripts beside it that break the source on purpose, one fault at a time, and demand
that a test notices each.

A mutant is one or more edits (file, text, replacement). A text that is no longer found, or more than
once, is an error: the list goes with the source.
"""

import json
import os
import re
import shutil
import subprocess
import time


def run(command, directory, timeout, **environment):
    """Whether the command passes, and what it printed. One that takes longer than the timeout does
    not pass: a mutant may make a test wait for ever."""
    process = subprocess.Popen(
        command,
        cwd=directory,
        # Each mutant is a small change to what was built before it, and no stack is looked at.
        env=os.environ | {"CARGO_INCREMENTAL": "1", "CARGO_PROFILE_TEST_DEBUG": "0"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode == 0, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return False, output + f"\nno end after {timeout} s"


def build(package, timeout, **environment):
    """Builds the library's unit tests, and returns their program. It is run by itself: cargo would
    wait for another step that builds in the same folder, and a mutant must not be noticed by that."""
    command = ["cargo", "test", "--lib", "--no-run", "--message-format=json-render-diagnostics"]
    built, output = run(command, package, timeout, **environment)
    if not built:
        raise SystemExit(f"{output}\ndoes not compile: a mutant must be a fault, not an error")
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    programs = [message["executable"] for message in messages if message.get("executable")]
    if len(programs) != 1:
        raise SystemExit(f"one program was to be built, and not {programs}")
    return programs[0]


def copy_package(root, package):
    """Copies the tree to where its mutants are built."""
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for part in ["Cargo.toml", "Cargo.lock", "src", "tests", "benches", "examples"]:
        # With times of now: with those of the originals cargo would take the last mutant's build for
        # new.
        if (root / part).is_dir():
            shutil.copytree(root / part, package / part, copy_function=shutil.copy)
        elif (root / part).exists():
            shutil.copy(root / part, package / part)
    # A version of its own, or cargo would take a mutant's build for that of the tree: both use one
    # folder.
    manifest = package / "Cargo.toml"
    version = 'version = "0.0.0-mutant"'
    manifest.write_text(re.sub(r'(?m)^version = ".*"$', version, manifest.read_text(), count=1))


def hunt(mutants, source, notice, selected):
    """Applies each mutant to the files below `source`, and tells what notices it: `notice` returns
    that, or None. `selected` are names; none at all selects every mutant."""
    unknown = set(selected) - set(mutants)
    if unknown:
        raise SystemExit(f"no such mutant: {', '.join(unknown)}")
    if failure := notice():
        raise SystemExit(f"the source as it is fails its tests: {failure}")
    survivors = []
    for name, edits in mutants.items():
        if selected and name not in selected:
            continue
        began = time.monotonic()
        originals = {}
        for file, text, replacement in [edits] if isinstance(edits, tuple) else edits:
            before = (source / file).read_text()
            originals.setdefault(file, before)
            if before.count(text) != 1:
                raise SystemExit(f"{name}: its text stands {before.count(text)} times in {file}")
            (source / file).write_text(before.replace(text, replacement))
        noticed = notice()
        for file, original in originals.items():
            (source / file).write_text(original)
        took = time.monotonic() - began
        print(f"{name}: {noticed or 'SURVIVES'} ({took:.0f} s)", flush=True)
        if not noticed:
            survivors.append(name)
    if survivors:
        raise SystemExit(f"nothing notices: {', '.join(survivors)}")
    print("Every mutant was noticed.")
