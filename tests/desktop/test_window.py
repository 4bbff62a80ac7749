"""The window itself: what can be reached, how it is named, and what it remembers."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import run_child
from keraudio_desktop.actions import ENTRIES, keys_text
from keraudio_desktop.main_window import MainWindow
from keraudio_desktop.settings import Settings
from keraudio_desktop.songs import State
from keraudio_desktop.theme import is_dark, use_theme
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QHeaderView,
    QInputDialog,
    QLineEdit,
    QMenuBar,
    QProgressBar,
    QScrollBar,
    QTabBar,
    QTextBrowser,
    QWidget,
)
from pytestqt.qtbot import QtBot

Listen = Callable[[MainWindow, Path], None]
CONTROLS = (QAbstractButton, QAbstractItemView, QAbstractSlider, QComboBox, QLineEdit, QProgressBar, QTextBrowser)


def nameless(window: QWidget) -> list[str]:
    """Controls that a screen reader could not name."""
    found = []
    for widget in window.findChildren(QWidget):
        # Parts inside other controls speak for those.
        inside = isinstance(widget.parent(), (QComboBox, QTabBar, QLineEdit, QMenuBar)) or isinstance(
            widget, QScrollBar
        )
        popup = widget.window() is not window or type(widget.parent()).__name__ == "QComboBoxPrivateContainer"
        corner = isinstance(widget.parent(), QAbstractItemView) and not isinstance(widget, QHeaderView)
        if isinstance(widget, CONTROLS) and not (inside or popup or corner) and not isinstance(widget, QHeaderView):
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            if not (widget.accessibleName() or text):
                found.append(f"{type(widget).__name__} {widget.objectName()}")
    return found


def test_every_control_has_a_name_for_screen_readers(window: MainWindow, album: Path, listen: Listen) -> None:
    assert nameless(window) == []
    listen(window, album)
    window.view.go_to(0)
    assert nameless(window) == []
    for picture in (window.detail.strip, window.detail.waveform, window.detail.mel):
        assert picture.accessibleName()


def test_a_bar_of_a_screen_reader_is_read_with_its_number(window: MainWindow, album: Path, listen: Listen) -> None:
    listen(window, album)
    said = window.shown.index(0, 4).data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert "% sure of" in said


def test_tab_goes_once_through_every_control_in_reading_order(window: MainWindow, album: Path, listen: Listen) -> None:
    listen(window, album)
    window.view.go_to(0)
    window.detail.play_line.set_duration(10.0)
    window.activateWindow()
    window.open_button.setFocus()
    order: list[QWidget] = []
    while QApplication.focusWidget() not in order and len(order) < 60:
        order.append(QApplication.focusWidget())
        window.focusNextChild()
    names = [widget.accessibleName() or type(widget).__name__ for widget in order]
    expected = [
        "Open folder", "Model", "Card", "Filter", "Shown states", "Confidence limit", "Genres that songs have",
        "Songs", "QTabBar", "Accept", "Edit", "Reject", "Play", "Position", "Accept all shown", "Undo",
    ]  # fmt: skip
    assert [name for name in names if name in expected] == expected
    assert QApplication.focusWidget() is window.open_button


def test_every_action_has_a_key_of_its_own_and_a_place_in_the_menus(window: MainWindow) -> None:
    keys = [QKeySequence(key).toString() for entry in ENTRIES for key in entry.keys]
    assert all(keys) and len(keys) == len(set(keys))
    in_menus = {action for menu in window.menuBar().actions() for action in menu.menu().actions()}
    assert set(window.act.values()) <= in_menus
    assert all(isinstance(action, QAction) and action.shortcuts() for action in in_menus)
    assert all(entry.tip in keys_text() for entry in ENTRIES)


def test_songs_are_decided_on_by_letters_and_written_by_keys(
    qtbot: QtBot, window: MainWindow, album: Path, listen: Listen
) -> None:
    listen(window, album)
    window.activateWindow()
    view, songs = window.view, window.controller.table.songs
    view.setFocus()
    view.go_to(0)
    qtbot.keyClick(view, Qt.Key.Key_A)
    assert songs[0].state == State.ACCEPTED
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert songs[0].state == State.REJECTED
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert view.current_row() == 1
    qtbot.keyClick(view, Qt.Key.Key_E)
    editor = view.findChild(QLineEdit)
    assert editor is not None and editor.accessibleName()
    editor.setText("")
    # Letters that are actions elsewhere are letters here.
    qtbot.keyClicks(editor, "Arena; Rock")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: songs[1].new == ("Arena", "Rock"), timeout=3000)
    assert songs[0].state == State.REJECTED and songs[1].state == State.EDITED
    qtbot.keyClick(view, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: songs[1].state == State.WRITTEN and not window.controller.background.busy, timeout=120_000)
    qtbot.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: songs[1].state == State.PROPOSED, timeout=120_000)


def test_a_selection_is_edited_in_one_line(window: MainWindow, album: Path, listen: Listen) -> None:
    listen(window, album)
    window.view.selectAll()
    window.act["edit"].trigger()
    (dialog,) = window.findChildren(QInputDialog)
    assert "5 songs" in dialog.windowTitle()
    dialog.textValueSelected.emit("Dub; Ska")
    states = [song.state for song in window.controller.table.songs]
    assert states.count(State.EDITED) == 4 and states.count(State.FAILED) == 1
    dialog.close()


DROPPED = Qt.DropAction


def drop(window: MainWindow, paths: list[Path], possible: Qt.DropAction, keys: Qt.KeyboardModifier) -> QDropEvent:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons = Qt.MouseButton.LeftButton
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(50, 50), possible, data, buttons, keys))
    event = QDropEvent(QPointF(50, 50), possible, data, buttons, keys)
    event.setAccepted(False)
    QApplication.sendEvent(window, event)
    return event


@pytest.mark.parametrize("keys", [Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier])
def test_a_dropped_folder_is_copied_from_and_never_moved(
    qtbot: QtBot, window: MainWindow, album: Path, keys: Qt.KeyboardModifier
) -> None:
    event = drop(window, [album], DROPPED.CopyAction | DROPPED.MoveAction | DROPPED.LinkAction, keys)
    # What is answered here is what the source does with the files.
    assert event.isAccepted() and event.dropAction() == DROPPED.CopyAction
    qtbot.waitUntil(lambda: not window.controller.busy, timeout=240_000)
    assert len(window.controller.table.songs) == 5


@pytest.mark.parametrize("possible", [DROPPED.MoveAction, DROPPED.LinkAction])
def test_what_can_only_be_moved_or_linked_is_refused(window: MainWindow, album: Path, possible: Qt.DropAction) -> None:
    event = drop(window, [album], possible, Qt.KeyboardModifier.NoModifier)
    assert not event.isAccepted() and not window.controller.busy and not window.controller.paths


def test_what_is_no_file_is_refused(window: MainWindow) -> None:
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/a.mp3")])
    event = QDropEvent(
        QPointF(5, 5), DROPPED.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    event.setAccepted(False)
    QApplication.sendEvent(window, event)
    assert not event.isAccepted()


def test_the_first_run_says_what_to_do_and_offers_the_last_folder_next_time(
    make_window: Callable[[], MainWindow], album: Path, listen: Listen
) -> None:
    first = make_window()
    assert first.pages.currentWidget() is first.first_run and not first.first_run.last_button.isVisible()
    assert not first.act["apply"].isEnabled() and not first.act["cancel"].isEnabled()
    listen(first, album)
    assert first.pages.currentWidget() is first.view
    first.close()
    second = make_window()
    assert str(album)[-10:] in second.first_run.last_button.text()
    second.first_run.last_button.click()
    assert second.controller.paths == [album]


def test_choices_are_remembered(make_window: Callable[[], MainWindow], model_file: Path) -> None:
    first = make_window()
    first.resize(790, 620)
    first.filters.limit.setValue(40)
    first.filters.existing.setCurrentIndex(2)
    first.view.horizontalHeader().resizeSection(0, 333)
    first.act["dark"].trigger()
    first.close()
    second = make_window()
    assert (second.width(), second.height()) == (790, 620)
    assert second.filters.limit.value() == 40 and second.controller.table.rules.min_confidence == 0.4
    assert second.controller.table.rules.existing == "replace"
    assert second.view.columnWidth(0) == 333
    assert second.models.file == model_file and second.settings.theme == "light"


def test_settings_that_make_no_sense_are_the_usual_ones(tmp_path: Path) -> None:
    (tmp_path / "s.ini").write_text("[General]\ntheme=pink\npercent=many\nexisting=eat\nfolder=/no/such/folder\n")
    settings = Settings(tmp_path / "s.ini")
    assert (settings.theme, settings.percent, settings.existing, settings.folder) == ("system", 0, "keep", None)


def test_a_model_that_is_gone_is_the_default_next_time(make_window: Callable[[], MainWindow], tmp_path: Path) -> None:
    window = make_window()
    window.models.choose(str(tmp_path / "gone.keras"))
    assert window.models.name == "genres" and window.models.file.is_file()


def test_the_card_and_the_keys_are_pages(window: MainWindow) -> None:
    window.models.choose("genres")
    window.controller.model = window.models.file
    for name, words in (("card", "What it cannot do"), ("keys", "Ctrl+Shift+A")):
        window.act[name].trigger()
        (dialog,) = [one for one in window.findChildren(QDialog) if one.isVisible()]
        assert words in dialog.findChild(QTextBrowser).toPlainText() and not nameless(dialog)
        dialog.close()


@pytest.mark.parametrize("name", ["open", "open_files", "plan", "table", "playlists"])
def test_file_dialogs_open_without_holding_the_window(
    window: MainWindow, album: Path, listen: Listen, name: str
) -> None:
    listen(window, album)
    window.act[name].trigger()
    (dialog,) = window.findChildren(QFileDialog)
    assert dialog.isVisible() and dialog.windowTitle()
    dialog.close()


def test_dark_and_light_are_switched(qtbot: QtBot, window: MainWindow) -> None:
    for name, dark in (("light", False), ("dark", True), ("system", False)):
        window.act["dark"].trigger()
        assert window.settings.theme == name
        qtbot.waitUntil(lambda dark=dark: is_dark(window.palette()) == dark, timeout=3000)
    with pytest.raises(ValueError, match="Received: name='pink'"):
        use_theme("pink")


def test_a_failure_leads_to_its_song(window: MainWindow, album: Path, listen: Listen) -> None:
    listen(window, album)
    window.filters.words.setText("Anna")
    window.failures.itemActivated.emit(window.failures.item(0))
    assert window.view.current_row() == 2 and window.detail.path == album / "bad.wav"
    assert not window.filters.words.text()


def test_a_folder_without_songs_says_so(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    window.open_paths([tmp_path / "empty"])
    qtbot.waitUntil(lambda: not window.controller.busy, timeout=240_000)
    assert "no songs here" in window.progress.text.text()


def test_a_folder_or_model_that_is_not_there_is_one_line(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    window.open_paths([tmp_path / "gone"])
    qtbot.waitUntil(lambda: not window.controller.busy, timeout=240_000)
    assert window.failures.item(0).text().endswith("does not exist")
    (tmp_path / "m.keras").write_text("no model")
    window.controller.use_model(tmp_path / "m.keras")
    qtbot.waitUntil(lambda: window.failures.count() > 1, timeout=240_000)
    assert "m.keras" in window.failures.item(1).text()


def test_the_window_is_there_before_any_backend_is_loaded() -> None:
    code = """
import os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from pathlib import Path
from PySide6.QtWidgets import QApplication
from keraudio_desktop.main_window import MainWindow
from keraudio_desktop.settings import Settings
app = QApplication([])
window = MainWindow(Settings(Path(sys.argv[1])))
window.show()
app.processEvents()
heavy = {"keras", "tensorflow", "jax", "torch", "librosa", "scipy", "sklearn", "pandas", "matplotlib", "numba"}
print(*sorted(heavy & set(sys.modules)), window.isVisible())
"""
    done = run_child(code, "/nowhere/settings.ini")
    assert done.out.decode().split() == ["True"], done.err
    # Two seconds until it can be used, on a machine that does nothing else: CPU time is the same on a busy one.
    assert done.cpu_seconds < 2.0


def test_the_gui_script_and_the_verb_start_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keraudio_desktop.start

    opened: list[object] = []
    monkeypatch.setattr(keraudio_desktop.start, "run_app", lambda folder=None: opened.append(folder) or 0)
    from keraudio.cli.main import run

    assert run(["app"]) == 0 and run(["app", str(tmp_path)]) == 0
    assert run(["app", str(tmp_path / "gone")]) == 2
    monkeypatch.setattr(sys, "argv", ["keraudio-app", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        keraudio_desktop.start.main()
    assert ended.value.code == 0 and opened == [None, tmp_path, tmp_path]


def test_without_qt_the_verb_says_what_to_install() -> None:
    code = """
import sys
sys.modules["PySide6"] = None
from keraudio.cli.main import main
main(["app"])
"""
    done = run_child(code)
    assert done.code == 1 and b"pip install 'keraudio[app]'" in done.err and done.err.count(b"\n") == 1


def test_the_app_runs_and_ends_with_its_window(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from keraudio_desktop.start import run_app
app = QApplication([])
QTimer.singleShot(300, app.closeAllWindows)
sys.exit(run_app(settings_file=Path({str(tmp_path / "s.ini")!r})))
"""
    assert run_child(code).code == 0
