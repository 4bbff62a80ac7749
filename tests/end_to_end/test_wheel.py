"""What a user installs: the wheel, built from this tree, without the tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from command_line import run_child

from keraudio import __version__
from keraudio.audio import find_audio
from keraudio.tagging import demo_folder

CHECKOUT = Path(__file__).resolve().parents[2]


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "-q", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=CHECKOUT.parent)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation, so that nothing is downloaded: hatchling is among the packages for tests.
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, CHECKOUT)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def files_of(*patterns: str) -> set[str]:
    """Files of the checkout, without what Python leaves there."""
    return {
        path.relative_to(CHECKOUT).as_posix()
        for pattern in patterns
        for path in CHECKOUT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_is_pure_python_of_this_version(wheel: Path) -> None:
    assert wheel.name == f"keraudio-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 20e6


def test_everything_of_the_package_is_in_it_and_nothing_else(members: set[str]) -> None:
    package = files_of("keraudio/**/*")
    models = {f"keraudio/models/{Path(name).name}" for name in files_of("saved_models/*")}
    information = {name for name in members if name.startswith(f"keraudio-{__version__}.dist-info/")}
    app = {name.removeprefix("apps/desktop/") for name in files_of("apps/desktop/keraudio_desktop/**/*")}
    assert len(app) > 20 and members - information == package | app | models
    assert f"keraudio-{__version__}.dist-info/licenses/LICENSE" in information


def test_what_is_no_code_is_in_it(members: set[str]) -> None:
    assert "keraudio/py.typed" in members
    assert {"keraudio/models/genres.keras", "keraudio/models/genres.md"} <= members
    assert "keraudio/models/MUSICNN_LICENSE.md" in members
    assert {"keraudio/recipes/folder_baseline.toml", "keraudio/datasets/splits/gtzan_filtered_test.txt"} <= members
    assert "keraudio/tagging/demo/CREDITS.md" in members
    assert {f"keraudio/tagging/demo/{clip.name}" for clip in find_audio([demo_folder()])} <= members


def test_it_needs_no_backend_but_offers_each(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"keraudio-{__version__}.dist-info/METADATA").decode()
    needed = {line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")}
    always = " ".join(line for line in needed if "extra ==" not in line)
    assert "keras" in always and not any(name in always for name in ("tensorflow", "jax", "torch", "matplotlib"))
    extras = {line.removeprefix("Provides-Extra: ") for line in metadata.splitlines() if line.startswith("Provides")}
    assert {"app", "tensorflow", "jax", "torch", "m4a", "plots"} <= extras


def test_it_starts_the_app_by_a_script_without_a_terminal(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        scripts = archive.read(f"keraudio-{__version__}.dist-info/entry_points.txt").decode()
    assert "[gui_scripts]\nkeraudio-app = keraudio_desktop.start:main" in scripts


def test_the_installed_package_tags_the_demo_clips_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip("install", "--no-deps", "--no-index", "--target", installed, wheel)
    # The console script of the wheel, by its interpreter; it stands before any other keraudio of this environment.
    script = (installed / "bin" / "keraudio").read_text()
    code = f"import sys, keraudio; print(keraudio.__file__, file=sys.stderr)\nexec({script!r})"
    child = run_child(code, "tag", "--demo", folder=elsewhere, PYTHONPATH=str(installed))
    assert child.code == 0, child.message
    assert child.message.splitlines()[0] == str(installed / "keraudio" / "__init__.py")
    assert len(child.message.splitlines()) == 2
    assert [line.split(": ")[0] for line in child.lines] == [clip.name for clip in find_audio([demo_folder()])]
    assert os.listdir(elsewhere) == []
