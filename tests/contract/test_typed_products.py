"""A product's own project passes its type checker, with and without stubs for Celery."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SITE_PACKAGES: Final = Path(sysconfig.get_path("purelib"))
PYRIGHT: Final = Path(sys.executable).with_name("basedpyright")
OF_CELERY: Final = "untyped-decorator"
"""Without stubs, `@app.task` has no types; that is all that a strict checker may say."""
MORE: Final = """

def handled(outcome: Outcome) -> str:
    from typing import assert_type

    from overnight_producers import Problem

    assert_type(outcome.problem, Problem | None)
    match outcome.problem:
        case "refused":
            return "no"
        case _:
            return "yes"


def asked(receipt: Receipt) -> Confirmation:
    overnight.wait(receipt).text.upper()
    return overnight.confirm(receipt)


@callback
def keeps_its_signature(outcome: Outcome, sku: str) -> int:
    return len(sku)


assert_type(keeps_its_signature(Outcome("i", "k", "l", ok=True), "A1"), int)
"""
WRONG: Final = """
keeps_its_signature(3, sku="A1")
"""


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """The product of the first page, and what else it may do."""
    (shop,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    imports = "from typing import assert_type\n\nfrom overnight_producers import Confirmation, Receipt\n"
    (tmp_path / "shop.py").write_text(imports + shop + MORE)
    return tmp_path


def mypy(project: Path, config: str = "") -> str:
    # one cache for all: most of what is checked are the libraries, in each project the same
    cache = project.parent / "mypy-cache"
    (project / "mypy.ini").write_text(f"[mypy]\nstrict = true\ncache_dir = {cache}\n{config}")
    words = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "shop.py"]
    return subprocess.run(words, cwd=project, capture_output=True, text=True, check=False).stdout


def pyright(project: Path, **config: object) -> list[str]:
    options = {"typeCheckingMode": "strict", "pythonVersion": "3.11", **config}
    (project / "pyrightconfig.json").write_text(json.dumps(options))
    words = [str(PYRIGHT), "--outputjson", "shop.py"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    return [
        f"{diagnostic['range']['start']['line'] + 1}: {diagnostic['message']}"
        for diagnostic in json.loads(done.stdout)["generalDiagnostics"]
        if diagnostic["severity"] == "error"
    ]


def test_mypy_passes(product: Path) -> None:
    assert mypy(product).startswith("Success")


def test_mypy_without_stubs_for_celery_finds_fault_with_celery_alone(product: Path) -> None:
    output = mypy(product, "[mypy-celery.*]\nfollow_imports = skip\nignore_missing_imports = true\n")
    faults = [line for line in output.splitlines() if ": error:" in line]
    assert all(OF_CELERY in line or "misc" in line for line in faults), output


def test_mypy_sees_a_wrong_call_of_a_callback(product: Path) -> None:
    with (product / "shop.py").open("a") as shop:
        shop.write(WRONG)
    assert '"keeps_its_signature" has incompatible type "int"; expected "Outcome"' in mypy(product)


@pytest.mark.skipif(not PYRIGHT.exists(), reason="`make test` installs pyright")
def test_pyright_passes(product: Path) -> None:
    assert pyright(product, venvPath=str(ROOT), venv=".venv") == []


@pytest.mark.skipif(not PYRIGHT.exists(), reason="`make test` installs pyright")
def test_pyright_without_stubs_for_celery_finds_no_fault_with_overnight(product: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for package in SITE_PACKAGES.iterdir():
        if not package.name.startswith(("celery-stubs", "celery_types")):
            (packages / package.name).symlink_to(package)
    paths = [str(packages), str(ROOT / "models"), str(ROOT / "producers")]
    faults = pyright(product, typeCheckingMode="standard", extraPaths=paths)
    assert [fault for fault in faults if 'attribute "s" for class "FunctionType"' not in fault] == []  # Celery's task
