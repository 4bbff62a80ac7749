import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import TINY_RECIPE, Outcome
from tones import save_tone_classifier, write_tones

Command = Callable[..., Outcome]


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Runs the command line in this process: `command("tag", folder, "--json")`."""
    from keraudio.cli.main import run

    def runner(*arguments: object) -> Outcome:
        capfdbinary.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return Outcome(code, captured.out, captured.err)

    return runner


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of high and low tones: of no use, the same every time, and never quite sure."""
    return save_tone_classifier(tmp_path_factory.mktemp("model") / "tones.keras")


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of folders, eight clips a label."""
    return write_tones(tmp_path_factory.mktemp("data") / "tones")


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY_RECIPE)
    return path


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory, tones: Path, recipe_file: Path) -> Path:
    """The folder of a finished run of `keraudio fit`."""
    from keraudio.cli.main import run

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    cache = tmp_path_factory.mktemp("cache")
    code = run(["fit", str(recipe_file), "--data", f"folder:{tones}", "--out", str(folder), "--cache", str(cache)])
    assert code == 0
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing goes into the user's own cache and journal."""
    monkeypatch.setenv("KERAUDIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAUDIO_JOURNAL", str(tmp_path / "journal" / "journal.sqlite3"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def _load_once() -> Iterator[None]:
    """A model file is loaded, and compiled, once for all runs in this process: that is most of a run's seconds."""
    import keraudio.classifier

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keraudio.classifier, "load", functools.lru_cache(keraudio.classifier.load))
        yield


@pytest.fixture
def fast_load(_load_once: None) -> None:
    """For tests that run the same model many times."""
