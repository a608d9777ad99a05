"""The folders are the architecture: what stands where, how large it may grow, and who may import whom."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("data", "features", "models", "training", "evaluation", "serving", "partnerintel")
SOURCES = sorted(p for name in PACKAGES for p in (REPOSITORY / name).rglob("*.py"))


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_ours_and_lies_in_the_repository(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().is_relative_to(REPOSITORY)


def test_no_other_distribution_owns_our_names() -> None:
    owners = metadata.packages_distributions()
    foreign = {n: set(owners.get(n, [])) - {"partnerintel"} for n in (*PACKAGES, "tests")}
    assert not any(foreign.values()), foreign


def test_docs_is_not_importable_as_ours() -> None:
    assert not (REPOSITORY / "docs" / "__init__.py").exists()


def test_required_top_level_is_present() -> None:
    required = ("features", "training", "models", "serving", "evaluation", "data", "tests")
    missing = [n for n in required if not (REPOSITORY / n).is_dir()]
    missing += [n for n in ("pyproject.toml", "bentofile.yaml") if not (REPOSITORY / n).is_file()]
    assert not missing


def test_required_packages_are_dependencies_with_lower_bounds() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    declared = {d.split(">")[0].split("[")[0].strip(): d for d in project["dependencies"]}
    nine = ("scikit-learn", "lightgbm", "pandas", "mlflow", "feast", "bentoml", "shap", "optuna", "pytest")
    assert [n for n in nine if ">=" not in declared.get(n, "")] == []


def test_lock_has_hashes_and_no_addresses() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    pinned = [line for line in lock.splitlines() if "==" in line and not line.startswith(" ")]
    assert len(pinned) > 100
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert "://" not in lock


def test_locked_versions_meet_the_security_floor() -> None:
    floor = {
        "bentoml": (1, 4, 39), "mlflow": (3, 17, 2), "feast": (0, 67), "starlette": (0, 47, 2),
        "python-multipart": (0, 0, 26), "scikit-learn": (1, 5),
    }  # fmt: skip
    lock = (REPOSITORY / "requirements.lock").read_text().splitlines()
    pins = dict(line.split(" ")[0].split("==") for line in lock if "==" in line and not line.startswith(" "))
    old = {n: pins[n] for n, least in floor.items() if tuple(map(int, pins[n].split("."))) < least}
    assert not old


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, "split the module: one idea each"
    functions = [
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    # A docstring is not length: what counts is what must be understood at once.
    long = {n.name: size for n in functions if (size := _size(n)) > 60}
    assert not long


def _size(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_nothing_is_called_utils_or_helpers() -> None:
    assert [p.name for p in SOURCES if p.stem in {"utils", "helpers", "common", "misc"}] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_has_no_side_effects(name: str, tmp_path: Path) -> None:
    code = (
        "import os, importlib\n"
        "before = dict(os.environ)\n"
        f"package = importlib.import_module('{name}')\n"
        "assert dict(os.environ) == before, 'importing changed the environment'\n"
        "assert os.listdir('.') == [], 'importing wrote files'\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=120)


PICKLES = {"pickle", "joblib", "cloudpickle", "dill"}


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    return plain | {(n.module or "").split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}


def test_no_module_imports_a_pickle_library() -> None:
    assert [str(p.relative_to(REPOSITORY)) for p in SOURCES if _imported(p) & PICKLES] == []
