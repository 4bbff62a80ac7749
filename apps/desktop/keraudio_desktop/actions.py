"""Everything that the user can do, each with its key, in one table."""

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu


@dataclass(frozen=True)
class Entry:
    """One action.

    Attributes:
        name: by which the window knows it.
        menu: in which it stands.
        text: with its mnemonic.
        keys: the first is shown.
        tip: what it does, in a sentence.
        in_table: its keys are plain letters, heard only where the table has the focus.
        checkable: it is on or off.
    """

    name: str
    menu: str
    text: str
    keys: tuple[str, ...]
    tip: str
    in_table: bool = False
    checkable: bool = False


ENTRIES = (
    Entry("open", "&File", "&Open folder…", ("Ctrl+O",), "Hear the songs of a folder; nothing is written"),
    Entry("open_files", "&File", "Open &songs…", ("Ctrl+Shift+O",), "Hear single songs"),
    Entry("demo", "&File", "Try the &demo songs", ("Ctrl+D",), "Hear four clips that come with keraudio"),
    Entry("again", "&File", "&Listen again", ("Ctrl+R",), "Hear all songs anew, known ones too"),
    Entry("plan", "&File", "Export &plan…", ("Ctrl+S",), "Write a table to edit and to give to `keraudio apply`"),
    Entry("table", "&File", "Export &CSV…", ("Ctrl+E",), "Write what was heard and done as a table"),
    Entry("playlists", "&File", "Export play&lists…", ("Ctrl+L",), "Write a playlist a genre into a folder"),
    Entry("quit", "&File", "&Quit", ("Ctrl+Q",), "Leave; what is being written is finished first"),
    Entry(
        "accept", "&Songs", "&Accept", ("A",), "Have the proposed genre of the selected songs written by Apply", True
    ),
    Entry("edit", "&Songs", "&Edit…", ("E", "F2"), "Type other genres for the selected songs", True),
    Entry("reject", "&Songs", "&Reject", ("R", "Del"), "Leave the selected songs as they are", True),
    Entry("accept_shown", "&Songs", "Accept all s&hown", ("Ctrl+Shift+A",), "Accept every proposal that is shown"),
    Entry("apply", "&Songs", "A&pply", ("Ctrl+Return",), "Write the accepted genres into the songs"),
    Entry("undo", "&Songs", "&Undo", ("Ctrl+Z",), "Take back what Apply wrote last"),
    Entry("pause", "&Run", "&Pause", ("F8",), "Stand still after this song, or go on", checkable=True),
    Entry("cancel", "&Run", "&Cancel", ("Esc",), "Stop; what is finished stays"),
    Entry("play", "&Run", "P&lay", ("Ctrl+Space",), "Play the song from the marked place, or stop", checkable=True),
    Entry("filter", "&View", "&Filter", ("Ctrl+F",), "Type words that shown songs must have"),
    Entry("threshold", "&View", "&Confidence limit", ("Ctrl+T",), "Move the limit below which an answer is unsure"),
    Entry("songs", "&View", "&Songs", ("Alt+1",), "Go to the table of songs"),
    Entry("detail", "&View", "Song's &details", ("Alt+2",), "Go to what was heard in the song"),
    Entry("failures", "&View", "Fa&ilures", ("Alt+3",), "Go to the list of what failed, and why"),
    Entry("model", "&View", "&Model", ("Ctrl+M",), "Choose the model that hears songs"),
    Entry("card", "&View", "Model's c&ard", ("Ctrl+I",), "Read what the model knows, and how well"),
    Entry("dark", "&View", "Switch light and &dark", ("F9",), "Light, dark, or as the system has it"),
    Entry("keys", "&Help", "&Keys", ("F1",), "Every action and its key"),
)


def build_actions(window: QMainWindow) -> dict[str, QAction]:
    """Gives a window its menus, and returns the actions by name."""
    menus: dict[str, QMenu] = {}
    actions = {}
    for entry in ENTRIES:
        action = QAction(entry.text, window)
        action.setShortcuts([QKeySequence(key) for key in entry.keys])
        action.setToolTip(f"{entry.tip} ({entry.keys[0]})")
        action.setStatusTip(entry.tip)
        action.setCheckable(entry.checkable)
        if entry.in_table:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        if entry.menu not in menus:
            menus[entry.menu] = window.menuBar().addMenu(entry.menu)
        menus[entry.menu].addAction(action)
        actions[entry.name] = action
    return actions


def keys_text() -> str:
    """All actions with their keys, as Markdown."""
    rows = [
        f"| {entry.text.replace('&', '').rstrip('…')} | {', '.join(entry.keys)} | {entry.tip} |" for entry in ENTRIES
    ]
    return "\n".join(["| | | |", "|---|---|---|", *rows])
