"""docs/tour.ipynb: it is made of docs/tour.py, its cells run in order, and its outputs are clean."""

import importlib.util
import json
import os
import re
from pathlib import Path

import pytest
from conftest import ROOT

NOTEBOOK = ROOT / "docs/tour.ipynb"
BOOK = json.loads(NOTEBOOK.read_text())
OUTPUTS = [output for cell in BOOK["cells"] for output in cell.get("outputs", [])]


def notebook_module():
    spec = importlib.util.spec_from_file_location("notebook", ROOT / "docs/notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources():
    return [(cell["cell_type"], "".join(cell["source"])) for cell in BOOK["cells"]]


def test_the_cells_are_those_of_the_source():
    cells = notebook_module().cells_of((ROOT / "docs/tour.py").read_text())
    assert cells == sources(), "docs/tour.py has changed since: make notebook"
    assert len(cells) > 15


def test_outputs_are_there_small_and_clean():
    assert NOTEBOOK.stat().st_size < 300_000
    assert [output for output in OUTPUTS if output["output_type"] == "error" or output.get("name") == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in OUTPUTS) == 2
    code = [cell for cell in BOOK["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    printed = "".join(line for output in OUTPUTS for line in output.get("text", []))
    assert "king - man + woman = queen" in printed
    assert not re.search(r"(?<![\w.])/\w+/|0x[0-9a-f]{6}", printed), "a path or an address of the machine"
    assert set(BOOK["metadata"]) == {"kernelspec", "language_info"}


def test_there_are_pages_behind_its_links():
    for kind, text in sources():
        if kind == "markdown":
            for target in re.findall(r"\]\(([^)\s#]+)", text):
                assert (NOTEBOOK.parent / target).exists(), target


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "tour"}
    for kind, text in sources():
        if kind == "code":
            exec(compile(text, "docs/tour.ipynb", "exec"), names)
    assert "king - man + woman = queen" in capsys.readouterr().out
    assert names["report"].accuracy > 0.95
    assert "quokka" in names["newer"]
    assert {"loss.png", "words.png", "words.html", "model.npz"} <= set(os.listdir())
    assert Path.cwd() == tmp_path
