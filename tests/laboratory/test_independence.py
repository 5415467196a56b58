"""The package and the nodes work without the laboratory, which is not in the registry's zip."""

from __future__ import annotations

import ast

import pytest

from run import ROOT


def imported(source: str) -> set[str]:
    """The top-level packages that a source imports; for relative imports, all parts of the module's name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= set((node.module or "").split("."))
            if node.level:
                found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module":
            names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            found |= {part for name in names for part in name.split(".")}
    return found


@pytest.mark.parametrize("package", ["aligner", "nodes"])
def test_nothing_in_the_package_imports_the_laboratory(package):
    files = sorted((ROOT / package).rglob("*.py"))
    importing = [str(file) for file in files if "laboratory" in imported(file.read_text(encoding="utf-8"))]
    assert files and not importing


@pytest.mark.parametrize(
    "source",
    [
        "import laboratory.world",
        "from laboratory.world import clip",
        "from ...laboratory import world",
        "from ... import laboratory",
        "def load():\n    from laboratory import weights",
        "import importlib\nimportlib.import_module('laboratory.world')",
    ],
)
def test_every_kind_of_import_of_the_laboratory_is_found(source):
    assert "laboratory" in imported(source)
