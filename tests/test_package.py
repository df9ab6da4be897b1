"""The package imports light, from the top down, and exports what it says."""

import ast
import json
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

import parw2v

PACKAGE = ROOT / "parw2v"
HEAVY = ("matplotlib", "sklearn", "pandas")


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize("module", ["parw2v", "parw2v.worker", "parw2v.pool", "parw2v.trainer", "parw2v.commands"])
def test_importing_loads_neither_plots_nor_statistics(python, module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = python.run("-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_importing_the_package_loads_nothing_but_itself(python):
    done = python.run(
        "-c", "import sys, parw2v; print(sorted(n for n in sys.modules if n.startswith(('parw2v', 'numpy'))))"
    )
    assert done.stdout == "['parw2v', 'parw2v.version']\n"


def test_a_worker_loads_no_progress_bar(python):
    done = python.run("-c", "import sys, parw2v.pool, parw2v.worker; print('tqdm' in sys.modules)")
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", parw2v.__all__)
def test_every_name_is_there(name):
    assert getattr(parw2v, name) is not None
    assert name in dir(parw2v)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'parw2v' has no attribute 'nonsense'"):
        _ = parw2v.nonsense


def test_everything_can_be_imported_at_once():
    namespace = {}
    exec("from parw2v import *", namespace)
    assert set(parw2v.__all__) <= namespace.keys()


def test_each_module_can_be_the_first_that_is_imported(python):
    code = f"""
import importlib, json, sys
failed = {{}}
for name in {sorted(MODULES)!r}:
    for loaded in [n for n in sys.modules if n.partition(".")[0] == "parw2v"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = repr(error)
print(json.dumps(failed))
"""
    done = python.run("-c", code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


def imports_of(path):
    """Modules of this package that a module imports when it is loaded: not in functions, not for the type checker."""
    found = set()

    def visit(node):
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    continue
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    continue
                case ast.ImportFrom(module=str(module)):
                    for alias in child.names:
                        full = f"{module}.{alias.name}"
                        found.add(full if full in MODULES else module)
                case ast.Import():
                    found.update(alias.name for alias in child.names)
            visit(child)

    visit(ast.parse(path.read_text()))
    return {name for name in found if name.partition(".")[0] == "parw2v"}


def test_imports_go_down():
    graph = {name: imports_of(path) for name, path in MODULES.items()}
    assert graph["parw2v.commands"] >= {"parw2v.commands.train", "parw2v.arguments"}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError naming the cycle
    assert order.index("parw2v.errors") < order.index("parw2v.trainer") < order.index("parw2v.commands")
    assert not any("parw2v.commands" in needs for name, needs in graph.items() if name != "parw2v.__main__")


def test_the_kernels_know_neither_settings_nor_files():
    for name, path in MODULES.items():
        if name.startswith("parw2v.kernels."):
            arrays = {"parw2v.arraytypes", "parw2v.batching", "parw2v.windows"}
            assert imports_of(path) <= arrays | {n for n in MODULES if "kernels" in n}


def test_a_pool_knows_no_word2vec():
    assert imports_of(MODULES["parw2v.pool"]) == {"parw2v.errors"}


def test_the_version_is_one():
    assert parw2v.__version__.count(".") == 2
    assert json.dumps(parw2v.__version__)
    assert (Path(parw2v.__file__).parent / "py.typed").exists()
