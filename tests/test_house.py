"""The house keeps its order: layers, layout and types. Settings are in pyproject.toml."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from run import ROOT

#: What is checked; everything else at the root belongs to git or to a run.
CODE = ("aligner", "nodes", "laboratory", "tests", "run.py", "__init__.py")


#: import-linter has no __main__; this is its command line.
LINT_IMPORTS = ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")


def output_of(*arguments: str, folder: Path = ROOT) -> tuple[int, str]:
    """Exit status and output of Python with these arguments."""
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout + done.stderr


def test_layers_have_no_circle_and_no_import_runs_upwards():
    status, output = output_of(*LINT_IMPORTS)
    assert status == 0 and " 0 broken" in output, output


def test_an_import_that_runs_upwards_would_be_found(tmp_path):
    """The contracts are held against a copy in which a low room imports a high one."""
    package = tmp_path / "aligner"
    copied = [path.relative_to(ROOT) for path in (ROOT / "aligner").rglob("*.py")]
    for path in copied:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    (tmp_path / "laboratory").mkdir()
    (tmp_path / "laboratory" / "__init__.py").touch()
    with (package / "tensors" / "precision.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom ..guidance import rule  # noqa\n")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    status, output = output_of(*LINT_IMPORTS, folder=tmp_path)
    assert status != 0 and "aligner.tensors is not allowed to import aligner.guidance" in output, output


@pytest.mark.parametrize("command", [("check", "--quiet"), ("format", "--check", "--quiet")], ids=["lint", "layout"])
def test_ruff_has_nothing_to_say(command):
    status, output = output_of("-m", "ruff", *command, "--no-cache", *CODE)
    assert status == 0, output


@pytest.fixture(scope="module")
def types_of_libraries(tmp_path_factory):
    """A cache: most of the time goes into torch, which both checks read."""
    return str(tmp_path_factory.mktemp("types"))


def test_types_of_the_package(types_of_libraries):
    status, output = output_of("-m", "mypy", "--cache-dir", types_of_libraries)
    assert status == 0, output


def test_types_of_the_nodes(tmp_path, types_of_libraries):
    """Inside ComfyUI the nodes are a part of a package that has the folder's name."""
    package = tmp_path / "seeing_and_hearing"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("aligner", "nodes"):
        (package / name).symlink_to(ROOT / name, target_is_directory=True)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    status, output = output_of(
        "-m", "mypy", "--cache-dir", types_of_libraries, "--package", "seeing_and_hearing.nodes", folder=tmp_path
    )
    assert status == 0, output


def test_both_packages_import_themselves_relatively():
    """ComfyUI has a module called nodes, and a custom node's folder may have any name."""
    for name in ("aligner", "nodes"):
        for file in (ROOT / name).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and not node.level:
                    top = (node.module or "").split(".")[0]
                    assert top not in ("aligner", "nodes", "laboratory"), f"{file}:{node.lineno}"


def test_importing_the_package_loads_no_library():
    heavy = "{'torch', 'diffusers', 'transformers'}"
    code = f"import sys, aligner, aligner.settings; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists():
    import aligner

    assert all(getattr(aligner, name) is not None for name in aligner.__all__)
    assert {"generate", "Search", "Released", "Paper", "video_condition", "load_imagebind"} <= set(dir(aligner))
    with pytest.raises(AttributeError):
        _ = aligner.nothing_of_this_name
