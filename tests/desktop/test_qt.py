"""That the toolkit under the app is there and sound; where it is missing, this fails as all tests of the app do."""

import sys

from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot


def test_calls_that_return_none_keep_its_references(qtbot: QtBot) -> None:
    # Python before 3.12 counts them, and ends when none is left.
    widget = QWidget()
    qtbot.addWidget(widget)
    before = sys.getrefcount(None)
    for _ in range(1000):
        widget.parent()
    assert abs(sys.getrefcount(None) - before) < 500


def test_the_platform_is_the_one_without_a_screen(qapp: QApplication) -> None:
    assert qapp.platformName() == "offscreen"
