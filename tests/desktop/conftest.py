"""The app without a screen. PySide6 is imported plainly: where it, or a library of its, is missing, tests fail."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

import pytest
from songs import tag_song, write_kind
from tones import save_tone_classifier

if TYPE_CHECKING:
    from keraudio_desktop.main_window import MainWindow
    from pytestqt.qtbot import QtBot

# Before Qt is asked for a window.
os.environ["QT_QPA_PLATFORM"] = "offscreen"

LONG_NAME = "a very long name " * 12 + ".flac"


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of high and low tones, which nobody trained."""
    return save_tone_classifier(tmp_path_factory.mktemp("model") / "tones.keras")


@pytest.fixture(scope="session")
def _album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection") / "album"
    write_kind(folder, "mp3", name="a.mp3")
    tag_song(write_kind(folder, "flac", name="b.flac", frequency=900), artist="Anna")
    tag_song(write_kind(folder, "ogg", name="c.ogg", frequency=1500), ["Rock", "Jazz"], artist="Bert")
    tag_song(write_kind(folder / "deep", "flac", name=LONG_NAME, frequency=2000), artist="Änne")
    (folder / "bad.wav").write_bytes(b"no song" * 100)
    return folder


@pytest.fixture
def album(_album: Path, tmp_path: Path) -> Path:
    """Four songs - without tags, without a genre, with two, with a long name - and one that is none."""
    return Path(copytree(_album, tmp_path / "album"))


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # What was heard once is known in all tests, which then start no backend.
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, _cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes into the user's own cache, journal and settings, and nothing is heard."""
    monkeypatch.setenv("KERAUDIO_CACHE", str(_cache))
    monkeypatch.setenv("KERAUDIO_JOURNAL", str(tmp_path / "journal.sqlite3"))
    monkeypatch.setenv("KERAUDIO_SOUND", "null")


@pytest.fixture
def make_window(qtbot: "QtBot", tmp_path: Path, model_file: Path) -> Iterator[Callable[[], "MainWindow"]]:
    """Makes windows that remember each other's settings; they are closed in the end."""
    from keraudio_desktop.main_window import MainWindow
    from keraudio_desktop.settings import Settings

    made = []

    def make() -> MainWindow:
        settings = Settings(tmp_path / "settings.ini")
        if not made:
            settings.model = str(model_file)
        window = MainWindow(settings)
        window.show()
        made.append(window)
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()


@pytest.fixture
def window(make_window: Callable[[], "MainWindow"]) -> "MainWindow":
    """The app's window, with the little model."""
    return make_window()


@pytest.fixture
def listen(qtbot: "QtBot") -> "Callable[[MainWindow, Path], None]":
    """Opens a folder and waits until its songs are heard."""

    def listen(window: "MainWindow", folder: Path) -> None:
        window.open_paths([folder])
        qtbot.waitUntil(lambda: not window.controller.busy, timeout=240_000)
        assert window.controller.table.songs

    return listen
