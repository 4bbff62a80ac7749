import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keraudio_desktop import shown_songs
from keraudio_desktop.main_window import MainWindow
from keraudio_desktop.shown_songs import ShownSongs, stretches
from keraudio_desktop.song_table import Column, SongTable
from keraudio_desktop.songs import State
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from keraudio.tagging import Prediction, SongTags

LABELS = ("jazz", "metal", "pop", "rock")
ROWS = 10_000


def fill(table: SongTable, count: int) -> None:
    """Songs with artists, genres and confidences from a generator, one in a hundred failed."""
    random = np.random.default_rng(0)
    values = random.uniform(0, 1, (count, len(LABELS))).astype("float32")
    table.fill([Path(f"/music/song {number:05d}.mp3") for number in range(count)])
    for number, song in enumerate(table.songs):
        if number % 100 == 99:
            prediction = Prediction(song.path, LABELS, error=f"{song.name}: is empty")
        else:
            order = np.argsort(-values[number])
            chosen = tuple(LABELS[i] for i in order if values[number][i] >= 0.5)
            tags = SongTags(("Rock",) if number % 3 == 0 else (), f"Artist {number % 50}")
            prediction = Prediction(song.path, LABELS, values[number], 10, chosen, tags=tags)
        song.hear(prediction, table.rules)
    table.modelReset.emit()


def cells(shown: ShownSongs, column: Column) -> list[str]:
    return [shown.index(row, column).data() for row in range(shown.rowCount())]


@pytest.fixture
def table(qtbot: QtBot) -> SongTable:
    table = SongTable()
    fill(table, 300)
    return table


@pytest.fixture
def shown(table: SongTable, qtlog: Any) -> Iterator[ShownSongs]:
    """Qt itself checks what a model promises, and logs what it finds."""
    proxy = ShownSongs(table)
    mode = QAbstractItemModelTester.FailureReportingMode.Warning
    testers = [QAbstractItemModelTester(model, mode) for model in (table, proxy)]
    yield proxy
    found = [record.message for record in qtlog.records if "modeltest" in record.message or "FAIL" in record.message]
    assert len(testers) == 2 and not found


@pytest.mark.parametrize("order", list(Qt.SortOrder))
@pytest.mark.parametrize("column", list(Column))
def test_every_column_sorts_both_ways(table: SongTable, shown: ShownSongs, column: Column, order: Qt.SortOrder) -> None:
    shown.sort(column, order)
    songs = [table.songs[row] for row in shown.rows]
    assert len(songs) == 300
    if column == Column.CONFIDENCE:
        values = [-1.0 if song.confidence is None else song.confidence for song in songs]
    else:
        values = [text.casefold() for text in cells(shown, column)]
    assert values == sorted(values, reverse=order == Qt.SortOrder.DescendingOrder)


def test_songs_that_are_alike_stay_in_their_folders_order(shown: ShownSongs) -> None:
    shown.sort(Column.ARTIST, Qt.SortOrder.DescendingOrder)
    firsts = shown.rows[:6]
    assert firsts == sorted(firsts)


def test_words_are_looked_for_in_all_cells_and_all_must_be_there(table: SongTable, shown: ShownSongs) -> None:
    shown.set_text("ARTIST 17 rock")
    every = ["\n".join(table.index(row, column).data() for column in Column).casefold() for row in range(300)]
    assert shown.rows == [row for row, text in enumerate(every) if all(w in text for w in ("artist", "17", "rock"))]
    assert 0 < shown.rowCount() < 40
    shown.set_text("no such song")
    assert shown.rowCount() == 0
    shown.set_text("")
    assert shown.rows == list(range(300))


def test_one_state_alone_is_shown_on_demand(table: SongTable, shown: ShownSongs) -> None:
    shown.set_states([State.FAILED])
    assert cells(shown, Column.STATE) == ["failed"] * 3
    shown.set_states([])
    assert shown.rowCount() == 300


def test_what_changes_meanwhile_is_sorted_in_soon(qtbot: QtBot, table: SongTable, shown: ShownSongs) -> None:
    shown.set_states([State.PROPOSED])
    before, row = shown.rowCount(), shown.rows[0]
    table.each([row], lambda song: song.accept())
    assert cells(shown, Column.STATE)[0] == "accepted"
    qtbot.waitUntil(lambda: shown.rowCount() == before - 1, timeout=3000)
    assert row not in shown.rows


def test_rows_stay_where_they_are_while_one_is_edited(qtbot: QtBot, table: SongTable, shown: ShownSongs) -> None:
    shown.sort(Column.NEW)
    before = list(shown.rows)
    shown.hold(True)
    table.each([before[-1]], lambda song: song.edit(["AAA"]))
    qtbot.wait(500)
    assert shown.rows == before
    shown.hold(False)
    qtbot.waitUntil(lambda: shown.rows != before, timeout=3000)


def test_the_number_beside_a_bar_is_said_in_words_too(shown: ShownSongs) -> None:
    index = shown.index(0, Column.CONFIDENCE)
    said = index.data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert index.data() in said and "sure of" in said
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == f"Confidence: {index.data()}"


def test_selection_and_current_song_survive_sorting_and_filtering(window: MainWindow) -> None:
    fill(window.controller.table, 300)
    view = window.view
    view.go_to(120)
    view.selectionModel().select(
        window.shown.index(121, 0),
        view.selectionModel().SelectionFlag.Select | view.selectionModel().SelectionFlag.Rows,
    )
    assert view.selected_rows() == [120, 121]
    window.shown.sort(Column.CONFIDENCE, Qt.SortOrder.DescendingOrder)
    assert sorted(view.selected_rows()) == [120, 121] and view.current_row() == 120
    window.filters.words.setText("song 00120")
    assert view.selected_rows() == [120] and view.current_row() == 120
    window.filters.words.clear()
    assert view.current_row() == 120


class Paints(QObject):
    """Counts how often a widget is painted."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


@pytest.mark.parametrize("row", [0, 10, 5_000, 9_799])
def test_a_song_that_changes_is_painted_anew_wherever_it_is_shown(qtbot: QtBot, window: MainWindow, row: int) -> None:
    table, view, shown = window.controller.table, window.view, window.shown
    window.pages.setCurrentWidget(view)
    fill(table, ROWS)
    shown.sort(Column.ARTIST, Qt.SortOrder.DescendingOrder)
    qtbot.waitUntil(lambda: view.verticalScrollBar().maximum() > 0, timeout=5000)
    view.scrollTo(shown.index(row, 0))
    qtbot.wait(50)
    assert view.viewport().rect().intersects(view.visualRect(shown.index(row, 0)))
    before = view.viewport().grab(view.visualRect(shown.index(row, Column.NEW))).toImage()
    paints = Paints()
    view.viewport().installEventFilter(paints)
    table.each([shown.rows[row]], lambda song: song.edit(["Polka"]))
    qtbot.waitUntil(lambda: paints.count > 0, timeout=3000)
    view.viewport().removeEventFilter(paints)
    assert view.viewport().grab(view.visualRect(shown.index(row, Column.NEW))).toImage() != before


def test_a_song_out_of_sight_changes_without_painting(qtbot: QtBot, window: MainWindow) -> None:
    table, view = window.controller.table, window.view
    window.pages.setCurrentWidget(view)
    fill(table, ROWS)
    qtbot.waitUntil(lambda: view.verticalScrollBar().maximum() > 0, timeout=5000)
    qtbot.wait(300)
    paints = Paints()
    view.viewport().installEventFilter(paints)
    table.each(range(5000, 5050), lambda song: song.edit(["Polka"]))
    qtbot.wait(300)
    view.viewport().removeEventFilter(paints)
    assert paints.count == 0


@given(st.sets(st.integers(0, 60)))
def test_stretches_hold_all_places_and_no_other(places: set[int]) -> None:
    found = stretches(places)
    assert [place for top, bottom in found for place in range(top, bottom + 1)] == sorted(places)
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(found))


def test_a_view_that_asks_twice_sorts_once(qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(window.controller.table, 300)
    asked: list[str] = []
    monkeypatch.setitem(shown_songs._KEYS, Column.ARTIST, lambda song: asked.append(song.name) or song.artist)
    for order in (Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder):
        asked.clear()
        window.view.sortByColumn(Column.ARTIST, order)
        assert len(asked) == 300
    artists = [window.controller.table.songs[row].artist for row in window.view.model().rows]
    assert artists == sorted(artists)


def turns_of(qtbot: QtBot, steps: list[Callable[[], object]], settled: Callable[[], bool]) -> list[float]:
    """Seconds of this thread's CPU between the beat of a timer that takes a step and the next, step by step; then the
    longest of the last step's turn and those that follow until everything is settled.

    CPU time, not the clock: on a busy machine another process may hold this one up for longer than 50 ms, which is no
    fault of the app's; what its handlers compute they compute on any machine.
    """
    turns: list[float] = []
    last, over = time.thread_time(), False

    def beat() -> None:
        nonlocal last, over
        now = time.thread_time()
        turns.append(now - last)
        last = now
        if len(turns) <= len(steps):
            steps[len(turns) - 1]()
        else:
            over = settled()

    timer = QTimer(interval=0)
    timer.timeout.connect(beat)
    timer.start()
    qtbot.waitUntil(lambda: over, timeout=240_000)
    timer.stop()
    # What went before the first step is not the app's.
    return [*turns[1 : len(steps) + 1], max(turns[len(steps) :])]


def test_ten_thousand_songs_scroll_sort_filter_and_change_without_a_gap_of_50_ms(
    qtbot: QtBot, window: MainWindow
) -> None:
    window.pages.setCurrentWidget(window.view)
    fill(window.controller.table, ROWS)
    bar, view, filters = window.view.verticalScrollBar(), window.view, window.filters
    qtbot.waitUntil(lambda: bar.maximum() > 0, timeout=5000)
    assert bar.maximum() > ROWS / 2
    steps: list[Callable[[], object]] = []
    for place in range(0, bar.maximum(), bar.maximum() // 40):
        steps.append(lambda place=place: bar.setValue(place))
    for column in (Column.CONFIDENCE, Column.ARTIST, Column.SONG):
        steps.append(lambda column=column: view.sortByColumn(column, Qt.SortOrder.DescendingOrder))
    for end in range(1, 9):
        steps.append(lambda end=end: filters.words.setText("artist 4"[:end]))
    steps.append(filters.words.clear)
    for percent in (55, 90, 20, 0):
        steps.append(lambda percent=percent: filters.limit.setValue(percent))
    steps.append(lambda: filters.states.setCurrentIndex(2))
    steps.append(lambda: filters.states.setCurrentIndex(0))

    def settled() -> bool:
        return not window.controller.slices.busy

    qtbot.wait(300)
    # Of each step's five turns the middle one: what a page fault or another process in the core's cache holds up once
    # is no freeze that comes again.
    turns = np.median([turns_of(qtbot, steps, settled) for _ in range(5)], axis=0)
    assert turns.max() < 0.05, turns.round(3)
