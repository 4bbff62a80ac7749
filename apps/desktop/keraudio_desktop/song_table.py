"""The table's model: a row a song, in the order in which they were found."""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from keraudio_desktop.songs import SEPARATOR, Rules, Song, State, genres_of, real_path

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
CONFIDENCE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
_FLAGS = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemNeverHasChildren
_EDITABLE = _FLAGS | Qt.ItemFlag.ItemIsEditable


class Column(IntEnum):
    """Columns of the table."""

    SONG = 0
    ARTIST = 1
    CURRENT = 2
    NEW = 3
    CONFIDENCE = 4
    STATE = 5


_TITLES = ("Song", "Artist", "Current genre", "Proposed genre", "Confidence", "State")
_NOTES = (
    "Name of the file",
    "From the song's own tags",
    "Genre in the song's tags",
    "Genre that Apply writes once it is accepted; several with ; between",
    "How likely the model holds its first answer",
    "What has become of the song",
)


class SongTable(QAbstractTableModel):
    """Songs as a table; all changes to them go through it, so that views know.

    Signals:
        changed(first, last): rows whose songs are others now.
    """

    changed = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.songs: list[Song] = []
        self.rules = Rules()
        self._by_path: dict[str, int] = {}

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.songs)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and 0 <= section < len(_TITLES):
            if role == Qt.ItemDataRole.DisplayRole:
                return _TITLES[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return _NOTES[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self.cell(index.row(), index.column(), role) if index.isValid() else None

    def cell(self, row: int, column: int, role: int) -> Any:
        """What `data` gives, without an index: a view asks a dozen times for each cell that it paints."""
        show = _CELLS.get(role)
        return None if show is None else show(self.songs[row], column)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return self.cell_flags(index.row(), index.column()) if index.isValid() else Qt.ItemFlag.NoItemFlags

    def cell_flags(self, row: int, column: int) -> Qt.ItemFlag:
        """What `flags` gives, without an index."""
        return _EDITABLE if column == Column.NEW and self.songs[row].taggable else _FLAGS

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or index.column() != Column.NEW:
            return False
        genres = tuple(genres_of(str(value)))
        if genres != self.songs[index.row()].new:
            self.each([index.row()], lambda song: song.edit(genres))
        return True

    def fill(self, paths: Sequence[Path]) -> None:
        """Begins anew with songs that wait."""
        self.beginResetModel()
        self.songs = [Song(path) for path in paths]
        self._by_path = {}
        self.endResetModel()

    def each(self, rows: Iterable[int], change: Callable[[Song], object]) -> None:
        """Changes the songs of some rows; views hear of it once."""
        first, last = len(self.songs), -1
        for row in rows:
            change(self.songs[row])
            first, last = min(first, row), max(last, row)
        if last >= 0:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1))
            self.changed.emit(first, last)

    def rows_of(self, path: Path) -> list[int]:
        """Row of a file, whatever links lead to it; none where it is not in the table."""
        if not self._by_path:
            self._by_path = {real_path(song.path): row for row, song in enumerate(self.songs)}
        row = self._by_path.get(real_path(path))
        return [] if row is None else [row]


_TEXTS: tuple[Callable[[Song], str], ...] = (
    lambda song: song.name,
    lambda song: song.artist,
    lambda song: SEPARATOR.join(song.current),
    lambda song: SEPARATOR.join(song.new),
    lambda song: "" if song.confidence is None else f"{song.confidence:.0%}",
    lambda song: str(song.state),
)


def _text(song: Song, column: int) -> str:
    return _TEXTS[column](song)


def _tip(song: Song, column: int) -> str:
    match column:
        case Column.SONG:
            return str(song.path).encode(errors="surrogateescape").decode(errors="replace")
        case Column.CURRENT | Column.NEW:
            old, new = SEPARATOR.join(song.current) or "no genre", SEPARATOR.join(song.new) or "no genre"
            return old if old == new or song.state == State.WAITING else f"{old} → {new}"
        case Column.CONFIDENCE:
            return _spoken(song)
        case Column.STATE:
            return song.reason or str(song.state)
        case _:
            return _text(song, column)


def _spoken(song: Song) -> str:
    """The bar in words."""
    if song.prediction is None or song.confidence is None:
        return "nothing heard yet" if song.prediction is None else "nothing heard"
    label = song.prediction.chosen[0] if song.prediction.chosen else song.prediction.top(1)[0][0]
    unsure = ", unsure" if song.state == State.UNSURE else ""
    return f"{song.confidence:.0%} sure of {label}{unsure}"


_CELLS: dict[int, Callable[[Song, int], Any]] = {
    int(Qt.ItemDataRole.DisplayRole): _text,
    int(Qt.ItemDataRole.EditRole): _text,
    int(Qt.ItemDataRole.ToolTipRole): _tip,
    int(Qt.ItemDataRole.AccessibleTextRole): lambda song, column: f"{_TITLES[column]}: {_text(song, column) or 'none'}",
    int(Qt.ItemDataRole.AccessibleDescriptionRole): lambda song, column: (
        _spoken(song) if column == Column.CONFIDENCE else _tip(song, column)
    ),
    CONFIDENCE_ROLE: lambda song, _column: song.confidence,
}
