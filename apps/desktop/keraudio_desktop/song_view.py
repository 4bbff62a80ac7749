"""The table on the screen: selection survives sorting and filtering, and rows keep one height."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from keraudio_desktop.confidence_bar import ConfidenceBar
from keraudio_desktop.shown_songs import ShownSongs, stretches
from keraudio_desktop.song_table import CONFIDENCE_ROLE, Column, Index

_WIDTHS = {Column.SONG: 215, Column.ARTIST: 125, Column.CURRENT: 120, Column.NEW: 165, Column.CONFIDENCE: 120}
# Scattered over more stretches than that, Qt takes seconds to select rows again.
_MOST_STRETCHES = 500


class SongView(QTableView):
    """Songs of a proxy.

    Args:
        shown: the songs that are shown.

    Signals:
        current_changed(row): the song's row in the source, or -1.
        selection_changed: other rows are selected.
    """

    current_changed = Signal(int)
    selection_changed = Signal()

    def __init__(self, shown: ShownSongs) -> None:
        super().__init__()
        self._shown = shown
        self._kept_rows: set[int] = set()
        self._kept_current = -1
        self.setModel(shown)
        self.setAccessibleName("Songs")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.SelectedClicked
        )
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        rows = self.verticalHeader()
        rows.setVisible(False)
        # Asking 10,000 rows for their height would take seconds.
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 10)
        header = self.horizontalHeader()
        header.setAccessibleName("Columns")
        header.setHighlightSections(False)
        # Of its own, in which nothing is ever selected: a header asks whether whole columns are, row by row.
        header.setSelectionModel(QItemSelectionModel(shown, header))
        header.setStretchLastSection(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        # As the folder has them, until the user sorts.
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        for column, width in _WIDTHS.items():
            self.setColumnWidth(column, width)
        self.setItemDelegateForColumn(Column.CONFIDENCE, ConfidenceBar(CONFIDENCE_ROLE, self))
        self.setItemDelegateForColumn(Column.NEW, _GenreEditor(shown, self))
        shown.about_to_arrange.connect(self._keep)
        shown.arranged.connect(self._restore)
        self.selectionModel().currentRowChanged.connect(self._current_moved)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selection_changed.emit())

    def dataChanged(self, first: Index, last: Index, roles: Sequence[int] = ()) -> None:
        # Qt paints all that is in sight anew, whichever rows are others.
        bottom = self.rowAt(self.viewport().height() - 1)
        in_sight = last.row() >= self.rowAt(0) and (bottom < 0 or first.row() <= bottom)
        if in_sight or self.state() == QAbstractItemView.State.EditingState:
            super().dataChanged(first, last, roles)

    def selected_rows(self) -> list[int]:
        """Rows of the selected songs in the source."""
        return [self._shown.rows[place] for place in self._selected_places()]

    def current_row(self) -> int:
        """Row of the current song in the source, or -1."""
        index = self.currentIndex()
        return self._shown.rows[index.row()] if index.isValid() else -1

    def go_to(self, row: int) -> bool:
        """Makes a song the current one; False where the filter hides it."""
        place = self._shown.place_of(row)
        if place is None:
            return False
        self.setCurrentIndex(self._shown.index(place, 0))
        self.scrollTo(self.currentIndex())
        return True

    def edit_current(self) -> None:
        """Opens the editor of the current song's genres."""
        index = self.currentIndex()
        if index.isValid():
            self.edit(index.siblingAtColumn(Column.NEW))

    def _selected_places(self) -> Iterator[int]:
        # A list, which PySide6's own stubs do not say.
        for stretch in self.selectionModel().selection():  # type: ignore[attr-defined]
            yield from range(stretch.top(), stretch.bottom() + 1)

    def _keep(self) -> None:
        self._kept_rows = set(self.selected_rows())
        self._kept_current = self.current_row()

    def _restore(self) -> None:
        kept = (self._shown.place_of(row) for row in self._kept_rows)
        found = stretches(place for place in kept if place is not None)
        model, flag = self.selectionModel(), QItemSelectionModel.SelectionFlag
        current = self._shown.place_of(self._kept_current)
        if current is not None:
            model.setCurrentIndex(self._shown.index(current, 0), flag.NoUpdate)
        if len(found) <= _MOST_STRETCHES:
            selection = QItemSelection()
            for top, bottom in found:
                selection.select(self._shown.index(top, 0), self._shown.index(bottom, len(Column) - 1))
            model.select(selection, flag.ClearAndSelect)
        elif current is not None:
            model.select(self._shown.index(current, 0), flag.ClearAndSelect | flag.Rows)
        # A reset tells nobody that nothing is current any more.
        self.current_changed.emit(self.current_row())
        self.selection_changed.emit()

    def _current_moved(self, index: QModelIndex) -> None:
        self.current_changed.emit(self._shown.rows[index.row()] if index.isValid() else -1)


class _GenreEditor(QStyledItemDelegate):
    """A line for genres; rows stay where they are as long as it is open."""

    def __init__(self, shown: ShownSongs, parent: QWidget) -> None:
        super().__init__(parent)
        self._shown = shown

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QWidget:
        self._shown.hold(True)
        editor = super().createEditor(parent, option, index)
        editor.setAccessibleName("Genres, several with ; between")
        return editor

    def destroyEditor(self, editor: QWidget, index: QModelIndex | QPersistentModelIndex) -> None:
        super().destroyEditor(editor, index)
        QTimer.singleShot(0, self._shown, lambda: self._shown.hold(False))
