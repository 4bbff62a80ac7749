"""What actions do that ask the user something first, or show a page."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from keraudio_desktop.actions import keys_text
from keraudio_desktop.controller import Controller
from keraudio_desktop.model_chooser import TextDialog, card_of
from keraudio_desktop.settings import Settings
from keraudio_desktop.song_view import SongView
from keraudio_desktop.songs import SEPARATOR, genres_of
from keraudio_desktop.theme import THEMES, use_theme


class Commands:
    """Dialogs of a window; none of them blocks it.

    Args:
        window: their owner.
        controller: carries out what was asked.
        view: where songs are selected.
        settings: what is remembered.
        open_paths: hears folders and files.
    """

    def __init__(
        self,
        window: QWidget,
        controller: Controller,
        view: SongView,
        settings: Settings,
        open_paths: Callable[[list[Path]], None],
    ) -> None:
        self._window, self._controller, self._view = window, controller, view
        self._settings, self._open = settings, open_paths

    def open_folder(self) -> None:
        """Asks which folder to open."""
        dialog = self._file_dialog("Open folder", QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda name: self._open([Path(name)]))
        dialog.open()

    def open_songs(self) -> None:
        """Asks which songs to open."""
        dialog = self._file_dialog("Open songs", QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(lambda names: self._open([Path(name) for name in names]))
        dialog.open()

    def open_demo(self) -> None:
        """Hears the songs that come with keraudio."""
        from keraudio.tagging import demo_folder

        self._open([demo_folder()])

    def export_plan(self) -> None:
        """Asks for the plan's file."""
        self._save("Export plan", "genres.csv", self._controller.export_plan)

    def export_table(self) -> None:
        """Asks for the table's file."""
        self._save("Export CSV", "songs.csv", self._controller.export_table)

    def export_playlists(self) -> None:
        """Asks for the playlists' folder."""
        dialog = self._file_dialog("Folder for playlists", QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda name: self._controller.export_playlists(Path(name)))
        dialog.open()

    def edit_selected(self) -> None:
        """Edits one song in its cell, several in a line of their own."""
        rows = self._view.selected_rows()
        if len(rows) == 1:
            self._view.go_to(rows[0])
            self._view.edit_current()
        elif rows:
            dialog = QInputDialog(self._window)
            dialog.setWindowTitle(f"Genres for {len(rows)} songs")
            dialog.setLabelText("Genres, several with ; between. None: back to what is proposed.")
            dialog.setTextValue(SEPARATOR.join(self._controller.table.songs[rows[0]].new))
            dialog.textValueSelected.connect(lambda text: self._controller.edit(rows, genres_of(text)))
            dialog.open()

    def show_card(self) -> None:
        """Shows the card of the model."""
        model = self._controller.model
        TextDialog(f"Card of {model.stem}", card_of(model), self._window).open()

    def show_keys(self) -> None:
        """Shows every action and its key."""
        TextDialog("Keys", keys_text(), self._window).open()

    def switch_theme(self) -> None:
        """The system's, light, dark, and round again."""
        name = THEMES[(THEMES.index(self._settings.theme) + 1) % len(THEMES)]
        self._settings.theme = name
        use_theme(name)
        self._controller.said.emit(f"Colours: {'as the system has them' if name == THEMES[0] else name}")

    def _file_dialog(self, title: str, mode: QFileDialog.FileMode) -> QFileDialog:
        dialog = QFileDialog(self._window, title, str(self._settings.folder or Path.home()))
        dialog.setFileMode(mode)
        return dialog

    def _save(self, title: str, name: str, write: Callable[[Path], None]) -> None:
        dialog = self._file_dialog(title, QFileDialog.FileMode.AnyFile)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("CSV (*.csv)")
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(name)
        dialog.fileSelected.connect(lambda chosen: write(Path(chosen)))
        dialog.open()
