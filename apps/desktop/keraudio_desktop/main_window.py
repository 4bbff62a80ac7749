"""The window: its parts side by side, who hears whom, and what is remembered."""

from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from keraudio_desktop.action_button import ActionButton
from keraudio_desktop.actions import build_actions
from keraudio_desktop.commands import Commands
from keraudio_desktop.controller import Controller
from keraudio_desktop.detail_pane import DetailPane
from keraudio_desktop.dropping import take_copy
from keraudio_desktop.failures_list import FailuresList
from keraudio_desktop.filter_bar import FilterBar
from keraudio_desktop.first_run import FirstRun
from keraudio_desktop.model_chooser import ModelChooser
from keraudio_desktop.player import Player
from keraudio_desktop.progress_line import ProgressLine
from keraudio_desktop.settings import Settings
from keraudio_desktop.shown_songs import ShownSongs
from keraudio_desktop.song_focus import SongFocus
from keraudio_desktop.song_view import SongView
from keraudio_desktop.songs import State

_COUNT_MS = 150


class MainWindow(QMainWindow):
    """The app's window.

    Args:
        settings: what is remembered.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.setWindowTitle("keraudio")
        self.resize(1280, 760)
        self.setAcceptDrops(True)
        self.act = build_actions(self)
        self.models = ModelChooser()
        self.models.choose(settings.model)
        self.controller = Controller(self.models.file, self)
        self.player = Player(self)
        self.shown = ShownSongs(self.controller.table, self)
        self.view = SongView(self.shown)
        self.filters = FilterBar()
        self.detail = DetailPane([self.act[name] for name in ("accept", "edit", "reject")], self.act["play"])
        self.failures = FailuresList()
        self.first_run = FirstRun(self.act["open"], self.act["demo"])
        self.progress = ProgressLine(self.act["pause"], self.act["cancel"])
        self.counts = QLabel()
        self.counts.setAccessibleName("Songs by state")
        self.open_button = ActionButton("Open folder…", self.act["open"])
        self.card_button = ActionButton("Card…", self.act["card"])
        self.accept_shown_button = ActionButton("Accept all shown", self.act["accept_shown"])
        self.apply_button = ActionButton("Apply", self.act["apply"])
        self.undo_button = ActionButton("Undo", self.act["undo"])
        self.focus = SongFocus(self.controller, self.view, self.detail, self.player, self)
        self.commands = Commands(self, self.controller, self.view, settings, self.open_paths)
        self._count_later = QTimer(self, interval=_COUNT_MS, singleShot=True)
        self._counts_are_old = False
        self._build()
        self._connect_actions()
        self._connect_parts()
        self._restore()
        self._refresh()
        self._selection_changed()
        self.act["play"].setEnabled(False)

    def open_paths(self, paths: list[Path]) -> None:
        """Hears folders and files."""
        self.failures.forget()
        if len(paths) == 1 and paths[0].is_dir():
            self.settings.folder = paths[0].absolute()
        self._show_songs(True)
        self.controller.open(paths)
        self.view.setFocus()

    def _show_songs(self, there: bool) -> None:
        """Shows the table and what belongs to it, or where to begin."""
        self.pages.setCurrentWidget(self.view if there else self.first_run)
        for widget in (self.filters, self.tabs, self.accept_shown_button, self.apply_button):
            widget.setVisible(there)

    def warm_up(self) -> None:
        """What may wait until the window is there: settles an interrupted run, and has the model loaded."""
        self.controller.settle()
        if not self.controller.listening.active:
            self.controller.listening.prepare(self.controller.model)

    def _build(self) -> None:
        for name in ("accept", "edit", "reject"):
            # Their letters work in the table alone, where nothing is typed.
            self.view.addAction(self.act[name])
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.first_run)
        self.pages.addWidget(self.view)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Details and failures")
        self.tabs.addTab(self.detail, "Song")
        self.tabs.addTab(self.failures, "Failures")
        self.splitter = QSplitter()
        self.splitter.addWidget(self.pages)
        self.splitter.addWidget(self.tabs)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setSizes([880, 400])
        self.splitter.setChildrenCollapsible(False)
        caption = QLabel("&Model")
        caption.setBuddy(self.models)
        first, last = QHBoxLayout(), QHBoxLayout()
        for widget in (self.open_button, caption, self.models, self.card_button):
            first.addWidget(widget)
        first.addStretch()
        first.addWidget(self.counts)
        last.addWidget(self.progress, stretch=1)
        for widget in (self.accept_shown_button, self.apply_button, self.undo_button):
            last.addWidget(widget)
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.addLayout(first)
        layout.addWidget(self.filters)
        layout.addWidget(self.splitter, stretch=1)
        layout.addLayout(last)
        self.setCentralWidget(whole)
        self._show_songs(False)

    def _connect_actions(self) -> None:
        run, ask = self.controller, self.commands
        for name, slot in {
            "open": ask.open_folder,
            "open_files": ask.open_songs,
            "demo": ask.open_demo,
            "again": lambda: run.open(run.paths, refresh=True),
            "plan": ask.export_plan,
            "table": ask.export_table,
            "playlists": ask.export_playlists,
            "quit": self.close,
            "accept": lambda: run.accept(self.view.selected_rows()),
            "edit": ask.edit_selected,
            "reject": lambda: run.reject(self.view.selected_rows()),
            "accept_shown": lambda: run.accept(list(self.shown.rows)),
            "apply": run.apply,
            "undo": run.undo,
            "pause": lambda: run.pause(self.act["pause"].isChecked()),
            "cancel": run.cancel,
            "play": lambda: self.focus.play(self.act["play"].isChecked()),
            "filter": self.filters.words.setFocus,
            "threshold": self.filters.limit.setFocus,
            "songs": self.view.setFocus,
            "detail": lambda: self._go_to_tab(self.detail, self.detail.play_line.slider),
            "failures": lambda: self._go_to_tab(self.failures, self.failures),
            "model": self.models.showPopup,
            "card": ask.show_card,
            "dark": ask.switch_theme,
            "keys": ask.show_keys,
        }.items():
            self.act[name].triggered.connect(lambda _checked=False, slot=slot: self._do(slot))

    def _do(self, slot: Callable[[], object]) -> None:
        slot()
        # At once, so that Apply can follow Accept however fast the keys come.
        self._refresh()

    def _connect_parts(self) -> None:
        run = self.controller
        run.said.connect(self.progress.say)
        run.progressed.connect(self.progress.show_progress)
        run.activity_changed.connect(self._refresh)
        run.failed.connect(self._failed)
        run.table.changed.connect(lambda *_: self._soon())
        run.table.modelReset.connect(self._soon)
        self.filters.text_changed.connect(self.shown.set_text)
        self.filters.states_changed.connect(self.shown.set_states)
        self.filters.percent_changed.connect(lambda percent: run.set_rules(min_confidence=percent / 100))
        self.filters.existing_changed.connect(lambda name: run.set_rules(existing=name))
        self.models.chosen.connect(lambda _name: run.use_model(self.models.file))
        self.view.selection_changed.connect(self._selection_changed)
        self.view.current_changed.connect(lambda row: self.act["play"].setEnabled(row >= 0))
        self.failures.chosen.connect(self._go_to_song)
        self.failures.counted.connect(
            lambda count: self.tabs.setTabText(1, f"Failures ({count})" if count else "Failures")
        )
        self.first_run.again.connect(lambda folder: self.open_paths([folder]))
        self._count_later.timeout.connect(self._count_again)

    def _restore(self) -> None:
        for name, widget in self._remembered().items():
            state = self.settings.state(name)
            if state is not None:
                (widget.restoreGeometry if name == "window" else widget.restoreState)(state)
        self.filters.limit.setValue(self.settings.percent)
        self.filters.existing.setCurrentIndex(self.filters.existing.findData(self.settings.existing))
        self.first_run.offer(self.settings.folder)

    def _remembered(self) -> dict[str, Any]:
        return {"window": self, "splitter": self.splitter, "columns": self.view.horizontalHeader()}

    def _selection_changed(self) -> None:
        chosen = self.view.selectionModel().hasSelection()
        for name in ("accept", "edit", "reject"):
            self.act[name].setEnabled(chosen)

    def _soon(self) -> None:
        # At once, so that Apply can follow an edit however fast the keys come; seldom while songs change by hundreds.
        if self._count_later.isActive() and (self.controller.busy or self.controller.slices.busy):
            self._counts_are_old = True
        else:
            self._refresh()
            self._count_later.start()

    def _count_again(self) -> None:
        if self._counts_are_old:
            self._refresh()

    def _refresh(self) -> None:
        """Counts, and lets what can be done be done."""
        self._counts_are_old = False
        run = self.controller
        songs = run.table.songs
        counts = Counter(map(attrgetter("state"), songs))
        self.counts.setText("   ".join(f"{count} {state}" for state in State if (count := counts[state])))
        ready = counts[State.ACCEPTED] + counts[State.EDITED]
        self.apply_button.setText(f"Apply ({ready})" if ready else "Apply")
        heard = len(songs) > counts[State.WAITING]
        writing = run.background.busy
        for name, can in {
            "accept_shown": bool(counts[State.PROPOSED]),
            "apply": bool(ready) and not writing,
            "undo": not writing,
            "plan": heard and not writing,
            "table": heard and not writing,
            "playlists": heard and not writing,
            "again": bool(run.paths) and not writing,
            "pause": run.listening.active,
            "cancel": run.busy,
        }.items():
            self.act[name].setEnabled(can)
        self.act["pause"].setChecked(run.paused)
        self.progress.set_active(run.busy, can_pause=run.listening.active)

    def _failed(self, path: Path | None, reason: str) -> None:
        self.failures.add(path, reason)
        if path is None:
            # Of single songs the table says so; this is about the whole.
            self.progress.say(reason)
            self.tabs.setCurrentWidget(self.failures)

    def _go_to_song(self, path: Path) -> None:
        for row in self.controller.table.rows_of(path):
            self.filters.words.clear()
            self.filters.states.setCurrentIndex(0)
            self.view.go_to(row)
            self.tabs.setCurrentWidget(self.detail)

    def _go_to_tab(self, page: QWidget, inside: QWidget) -> None:
        self.tabs.setCurrentWidget(page)
        inside.setFocus()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        take_copy(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        take_copy(event)

    def dropEvent(self, event: QDropEvent) -> None:
        if paths := take_copy(event):
            self.open_paths(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.player.close()
        self.controller.close()
        for name, widget in self._remembered().items():
            self.settings.set_state(name, widget.saveGeometry() if name == "window" else widget.saveState())
        self.settings.model = self.models.name
        self.settings.percent = self.filters.limit.value()
        self.settings.existing = str(self.filters.existing.currentData())
        self.settings.flush()
        super().closeEvent(event)
