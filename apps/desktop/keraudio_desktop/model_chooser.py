"""The choice of a model, and pages about it."""

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFileDialog, QTextBrowser, QVBoxLayout, QWidget

from keraudio.errors import KeraudioError
from keraudio.saved_models import DEFAULT_MODEL, saved_models

_OTHER = "Another model…"


class ModelChooser(QComboBox):
    """Models that come with keraudio, and files of the user's own.

    Signals:
        chosen(file): the user took another model.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Model")
        self.setToolTip("The model that hears songs (Ctrl+M)")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._own = set(saved_models())
        for name, path in saved_models().items():
            self.addItem(name, str(path))
        self.addItem(_OTHER)
        self._file = ""
        self.choose(DEFAULT_MODEL)
        self.activated.connect(self._activated)

    @property
    def file(self) -> Path:
        """Of the chosen model."""
        return Path(self._file)

    @property
    def name(self) -> str:
        """By which it is found next time: of a model that comes with keraudio its name, as its file may move."""
        return self.currentText() if self.currentText() in self._own else self._file

    def choose(self, name: str) -> None:
        """Shows a model by name or file as the chosen one; one that is not there: the default."""
        place = max(self.findText(name), self.findData(name)) if name else -1
        if place < 0 and name and Path(name).is_file():
            place = self.count() - 1
            self.insertItem(place, Path(name).stem, name)
        if place < 0 or self.itemData(place) is None:
            place = max(0, self.findText(DEFAULT_MODEL))
        self.setCurrentIndex(place)
        self._file = str(self.currentData())

    def _activated(self, place: int) -> None:
        if self.itemData(place) is None:
            # Until a file is chosen the model stays what it was.
            self.choose(self._file)
            dialog = QFileDialog(self, "Open a model", "", "Models (*.keras)")
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            dialog.fileSelected.connect(self._take)
            dialog.open()
        else:
            self._take(str(self.itemData(place)))

    def _take(self, file: str) -> None:
        before = self._file
        self.choose(file)
        if self._file != before:
            self.chosen.emit(self._file)


class TextDialog(QDialog):
    """A page of Markdown.

    Args:
        title: of the window.
        text: in Markdown.
        parent: owner.
    """

    def __init__(self, title: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.resize(820, 620)
        page = QTextBrowser()
        page.setAccessibleName(title)
        page.setMarkdown(text)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(page)
        layout.addWidget(buttons)


def card_of(model: Path) -> str:
    """The card beside a model's file; without one, what the file says of itself."""
    card = model.with_suffix(".md")
    if card.is_file():
        return card.read_text(encoding="utf-8", errors="replace")
    from keraudio.model_file import check_model_file

    try:
        description = check_model_file(model).model_dump(mode="json")
    except KeraudioError as error:
        return f"# {model.stem}\n\n{error}"
    return f"# {model.stem}\n\n" + "\n".join(f"- {key}: {value}" for key, value in description.items())
