"""A button of one action."""

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QPushButton


class ActionButton(QPushButton):
    """Does what its action does, and can be pressed when that can be done.

    Args:
        text: on the button.
        action: which it triggers, with its tool tip.
    """

    def __init__(self, text: str, action: QAction) -> None:
        super().__init__(text)
        self._action = action
        self.setAccessibleName(text.rstrip("…"))
        self.clicked.connect(action.trigger)
        action.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.setEnabled(self._action.isEnabled())
        self.setToolTip(self._action.toolTip())
