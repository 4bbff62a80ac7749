"""The proxy between the songs and the view: which of them are shown, and in which order.

QSortFilterProxyModel asks Python about each row and each comparison, which holds the window up for a quarter of a
second over 10,000 rows; one pass over a list and one sort by keys take some milliseconds.
"""

from collections.abc import Callable, Collection, Iterable
from operator import attrgetter
from typing import Any

from PySide6.QtCore import QAbstractProxyModel, QModelIndex, QObject, Qt, QTimer, Signal

from keraudio_desktop.song_table import Column, Index, SongTable
from keraudio_desktop.songs import Song, State

_NOWHERE = QModelIndex()
# Songs come in by hundreds a second where their results are known.
_SETTLE_MS = 300


def _words(column: str) -> Callable[[Song], Any]:
    return lambda song: "; ".join(getattr(song, column)).casefold()


_KEYS: dict[int, Callable[[Song], Any]] = {
    Column.SONG: lambda song: song.name.casefold(),
    Column.ARTIST: lambda song: song.artist.casefold(),
    Column.CURRENT: _words("current"),
    Column.NEW: _words("new"),
    Column.CONFIDENCE: lambda song: -1.0 if song.confidence is None else song.confidence,
    Column.STATE: attrgetter("state"),
}


class ShownSongs(QAbstractProxyModel):
    """Songs that pass the filter, sorted.

    Args:
        table: the songs.
        parent: owner.

    Signals:
        about_to_arrange: rows will be others in a moment; who holds rows notes their songs now.
        arranged: they are.
    """

    about_to_arrange = Signal()
    arranged = Signal()

    def __init__(self, table: SongTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table
        self.rows: list[int] = []
        self._places: dict[int, int] = {}
        self._text = ""
        self._states: frozenset[State] = frozenset()
        self._column, self._order = -1, Qt.SortOrder.AscendingOrder
        # All rows as they are sorted, until a song changes: a filter takes from them what it shows.
        self._sorted: list[int] | None = None
        self._hold = False
        self._timer = QTimer(self, interval=_SETTLE_MS, singleShot=True)
        self._timer.timeout.connect(self.arrange)
        self.setSourceModel(table)
        table.modelReset.connect(self._source_reset)
        table.changed.connect(self._source_changed)
        self.arrange()

    def set_text(self, text: str) -> None:
        """Shows songs alone in whose cells all the words stand."""
        self._text = text.casefold()
        self.arrange()

    def set_states(self, states: Collection[State]) -> None:
        """Shows songs of these states alone; none: of all."""
        self._states = frozenset(states)
        self.arrange()

    def hold(self, still: bool) -> None:
        """Keeps rows where they are while the user types into one."""
        self._hold = still
        if not still:
            self._timer.start()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        # A view asks twice: itself, and its header that was told of it.
        if (column, order) != (self._column, self._order):
            self._column, self._order, self._sorted = column, order, None
        self.arrange()

    def arrange(self) -> None:
        """Filters and sorts anew."""
        if self._hold:
            return
        self._timer.stop()
        songs = self._table.songs
        if self._sorted is None:
            self._sorted = list(range(len(songs)))
            if self._column in _KEYS:
                keys = [_KEYS[self._column](song) for song in songs]
                # Stable both ways: songs that are alike stay in their folder's order.
                self._sorted.sort(key=keys.__getitem__, reverse=self._order == Qt.SortOrder.DescendingOrder)
        rows = self._sorted
        if self._states:
            rows = [row for row in rows if songs[row].state in self._states]
        for word in self._text.split():
            rows = [row for row in rows if word in songs[row].haystack]
        if rows == self.rows and len(self._places) == len(rows):
            return
        self.about_to_arrange.emit()
        self.beginResetModel()
        self.rows = rows
        self._places = dict(zip(rows, range(len(rows)), strict=True))
        self.endResetModel()
        self.arranged.emit()

    def place_of(self, row: int) -> int | None:
        """Where a song's row is shown, or None."""
        return self._places.get(row)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return self._table.columnCount(parent)

    def index(self, row: int, column: int, parent: Index = _NOWHERE) -> QModelIndex:
        if parent.isValid() or not (0 <= row < len(self.rows) and 0 <= column < len(Column)):
            return QModelIndex()
        return self.createIndex(row, column)

    def parent(self, _child: Index | None = None) -> Any:
        return QObject.parent(self) if _child is None else QModelIndex()

    def mapToSource(self, index: Index) -> QModelIndex:
        if not index.isValid() or index.row() >= len(self.rows):
            return QModelIndex()
        return self._table.index(self.rows[index.row()], index.column())

    def mapFromSource(self, index: Index) -> QModelIndex:
        place = self._places.get(index.row()) if index.isValid() else None
        return QModelIndex() if place is None else self.createIndex(place, index.column())

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self._table.headerData(section, orientation, role)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self._table.cell(self.rows[index.row()], index.column(), role) if index.isValid() else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return self._table.cell_flags(self.rows[index.row()], index.column())

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        return self._table.setData(self.mapToSource(index), value, role)

    def _source_reset(self) -> None:
        self._sorted = None
        self.arrange()

    def _source_changed(self, first: int, last: int) -> None:
        self._sorted = None
        found = (self._places.get(row) for row in range(first, last + 1))
        for top, bottom in stretches(place for place in found if place is not None):
            self.dataChanged.emit(self.index(top, 0), self.index(bottom, len(Column) - 1))
        # Cells are right at once; which rows are shown where follows when it is calm.
        if (self._text or self._states or self._column >= 0) and not self._timer.isActive():
            self._timer.start()


def stretches(places: Iterable[int]) -> list[tuple[int, int]]:
    """First and last places of the stretches in which places, in any order, stand side by side."""
    found: list[tuple[int, int]] = []
    for place in sorted(places):
        if found and place == found[-1][1] + 1:
            found[-1] = found[-1][0], place
        else:
            found.append((place, place))
    return found
