"""The documents tell all there is: commands, flags, names, files, modules; and their links lead somewhere."""

import argparse
import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import parw2v
from parw2v.commands import _command_parsers, _parser
from parw2v.formats import FORMATS

README = (ROOT / "README.md").read_text()
COMMANDS_PAGE = (ROOT / "docs/commands.md").read_text()
OURS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [*sorted(ROOT.glob("*.md")), *OURS[1:], *sorted((ROOT / "benchmarks").rglob("*.md"))]

WRITERS = {
    "parw2v.bars": "`parw2v evaluate --plot FILE`",
    "parw2v.checkpoint": "`results/model-checkpoints/`",
    "parw2v.commands.configfile": "`results/model.toml`",
    "parw2v.formats.streams": "`.txt`, `.vec`",
    "parw2v.formats.tensors": "`.safetensors`",
    "parw2v.model": "`results/model.npz`",
    "parw2v.phrases": "`phrases.json`",
    "parw2v.phrasetext": "`parw2v phrases --out FILE`",
    "parw2v.plots": "`results/tsne.png`, `results/loss_curve.png`",
    "parw2v.view": "`results/model.html`",
    "parw2v.vocabulary": "vocabulary JSON",
}
"""Modules that write files, and what the table of files in README.md calls these."""


def plain(text):
    """Without blocks of code, whose ``# comments`` are no headings and whose brackets no links."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def section(text, title, level="##"):
    """What stands under a heading, up to the next one that is not below it."""
    parts = re.split(rf"^{level} (.*)$", text, flags=re.M)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return found[title]


# ------------------------------------------------------------------------------------------ commands and flags


def parsers():
    """Each command, and each action of one that has actions: name -> (command, parser)."""
    found = {}
    for command, parser in _command_parsers(_parser()).items():
        found[command] = (command, parser)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                found |= {f"{command} {name}": (command, sub) for name, sub in action.choices.items()}
    return found


PARSERS = parsers()


def command_sections():
    """Command -> its section of docs/commands.md."""
    found = {}
    for title, text in re.findall(r"^## parw2v (.+?)\n(.*?)(?=^## |\Z)", COMMANDS_PAGE, re.M | re.S):
        found |= dict.fromkeys(title.split(", "), text)
    return found


def test_every_command_has_a_section():
    assert len(PARSERS) > 14
    assert set(command_sections()) == {command for command, _ in PARSERS.values()}
    for command, _ in PARSERS.values():
        assert f"parw2v {command}" in README, f"README.md does not name parw2v {command}"


@pytest.mark.parametrize("name", PARSERS)
def test_every_flag_stands_in_the_section_of_its_command(name):
    command, parser = PARSERS[name]
    text = command_sections()[command]
    assert f"parw2v {name}" in text or f"parw2v {name}" in README
    flags = [flag for action in parser._actions for flag in action.option_strings if flag not in ("-h", "--help")]
    assert [flag for flag in flags if not re.search(rf"{flag}\b(?!_)", text)] == []


def test_no_flag_is_documented_that_is_not_there():
    there = {flag for _, parser in PARSERS.values() for action in parser._actions for flag in action.option_strings}
    there |= {flag.replace("--", "--no_", 1) for flag in there} | {"--version", "--cache"}  # in files of settings
    there |= {"--no_SWITCH", "--quick", "--rounds", "--peer_python", "--peers"}  # the benchmarks' own
    for page in [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("commands", "python", "gensim"))]:
        named = set(re.findall(r"(?<![\w-])--[a-zA-Z_]+", page.read_text()))
        assert named <= there, f"{page.name} names {sorted(named - there)}"


def test_what_all_commands_share_is_told():
    for action in _parser()._actions:
        for flag in action.option_strings:
            assert flag in ("-h", "--help") or flag in COMMANDS_PAGE


# ------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("name", parw2v.__all__)
def test_every_public_name_is_told(name):
    table = section((ROOT / "docs/python.md").read_text(), "All public names")
    assert f"`{name}`" in table


def test_no_public_name_is_told_that_is_not_there():
    table = section((ROOT / "docs/python.md").read_text(), "All public names")
    names = {
        name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    assert names == set(parw2v.__all__)


# ------------------------------------------------------------------------------------------ files


def modules():
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted((ROOT / "parw2v").rglob("*.py"))
    }


def rows_of_files():
    return [row.split("|")[1].strip() for row in section(README, "Files").splitlines() if row.startswith("| ")]


def test_every_file_that_is_written_has_a_row():
    writers = {
        name
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "atomic_write"
    }
    assert writers == set(WRITERS), "tell WRITERS, and the table of files in README.md, what these modules write"
    rows = rows_of_files()
    for module, row in WRITERS.items():
        assert any(row in name for name in rows) or row in section(README, "Files"), f"{module} writes what has no row"
    assert len(rows) == len(set(rows)), "a file has two rows"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_row(name):
    suffixes = FORMATS[name].suffixes
    assert f"`{name}`" in command_sections()["export"]
    tail = f"({name})"
    [row] = [row for row in rows_of_files() if row.endswith(tail) or row == f"`{''.join(suffixes)}`"]
    assert all(suffix in row for suffix in suffixes)


def test_every_tag_of_a_format_is_told():
    tags = {tag for path in modules().values() for tag in re.findall(r'"(parw2v [a-z]+ \d+)"', path.read_text())}
    assert len(tags) >= 4
    files = section(README, "Files")
    assert [tag for tag in sorted(tags) if tag not in files] == []


# ------------------------------------------------------------------------------------------ the tree


def tree():
    return re.search(r"```\n(.*?)```", section(README, "The tree"), re.S).group(1)


def test_all_that_the_tree_names_is_there():
    names = re.findall(r"(?<![\w/])([\w-]+\.py|[\w-]+/)", tree())
    assert len(names) > 40
    places = [ROOT, ROOT / "examples", ROOT / "parw2v", ROOT / "parw2v/kernels", ROOT / "parw2v/formats"]
    assert [name for name in names if not any((place / name).exists() for place in places)] == []
    assert sorted(names) == sorted(set(names)), "named twice"


def test_every_module_is_in_the_tree():
    names = set(re.findall(r"[\w-]+\.py|[\w-]+/", tree()))
    inside = sorted((ROOT / "parw2v").iterdir())
    missing = [path.name for path in inside if path.suffix == ".py" and not path.name.startswith("__")]
    missing += [f"{path.name}/" for path in inside if path.is_dir() and path.name != "__pycache__"]
    assert [name for name in missing if name not in names] == []


def test_every_module_has_its_place_in_the_order_of_imports():
    order = re.search(
        r"```\n(.*?)```", section((ROOT / "CONTRIBUTING.md").read_text(), "How the code is laid out"), re.S
    )
    words = set(re.findall(r"\w+", order.group(1)))
    names = {path.stem for path in (ROOT / "parw2v").glob("*.py") if not path.name.startswith("__")}
    assert sorted(names - words - {"version"}) == []


# ------------------------------------------------------------------------------------------ links


def anchors(page):
    """Of all headings, as GitHub makes them."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", plain(page.read_text()), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", plain(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert there.is_relative_to(ROOT), f"{page.name}: {target} leads out of the repository"
        if anchor:
            assert anchor in anchors(there), f"{page.name}: {target}"


def test_every_page_can_be_reached():
    """From README.md, by links."""
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", plain(page.read_text()))
        todo += [(page.parent / link).resolve() for link in links if not re.match(r"[a-z]+:", link)]
    assert [page.name for page in OURS if page not in reached] == []


def test_lines_of_code_stand_for_themselves():
    """No leftovers of merging, and nothing that only its author's machine has."""
    for page in PAGES:
        text = page.read_text()
        assert not re.search(r"^(<<<<<<<|>>>>>>>|=======$)", text, re.M), page.name
        assert not re.search(r"/(home|tmp|work)/", text), page.name
    assert Path(ROOT / "docs").is_dir()


# ------------------------------------------------------------------------------------------ snippets


@pytest.mark.slow
def test_the_snippets_of_the_python_page_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = parw2v.load_sample_corpus()[:30_000]
    lines = [f"{word} {'new york' if i % 500 == 0 else ''} sees\n" for i, word in enumerate(words)]
    (tmp_path / "mytext.txt").write_text("".join(lines))
    names = {"__name__": "page"}
    for page in (ROOT / "docs/python.md", ROOT / "README.md"):
        snippets = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)
        assert snippets
        for snippet in snippets:
            exec(compile(snippet, str(page), "exec"), names)
    assert names["phrases"].join(["in", "new", "york"])[-1] == "new_york"
    assert (tmp_path / "results/mine.npz").exists()
    assert "100.0%" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["test", "test-faults", "test-ray"])
def test_pytest_takes_what_make_gives_it(target):
    make = subprocess.run(["make", "-n", "-o", ".venv/ready-test", target], cwd=ROOT, capture_output=True, text=True)
    command = next(line for line in make.stdout.splitlines() if " -m pytest" in line)
    arguments = shlex.split(command.partition(" -m pytest")[2])
    found = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "--collect-only", "-q"], cwd=ROOT, capture_output=True, text=True
    )
    tested = found.returncode == 0 or (target == "test-ray" and "could not import 'ray'" in found.stdout)
    assert tested, found.stderr + found.stdout[-500:]
