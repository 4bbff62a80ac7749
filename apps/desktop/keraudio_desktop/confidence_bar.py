"""Confidence in a table's cell: a bar, and its number beside it, so that colour alone says nothing."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from keraudio_desktop.theme import bar_colour

_NUMBER_WIDTH = "100 %"


class ConfidenceBar(QStyledItemDelegate):
    """Paints a probability that stands under `role`.

    Args:
        role: of the model's data, a float from 0 to 1 or None.
        parent: owner.
    """

    def __init__(self, role: int, parent: object = None) -> None:
        super().__init__(parent)  # type: ignore[arg-type]
        self._role = role

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        value = index.data(self._role)
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        if value is None:
            return
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        text_colour = option.palette.color(role)
        inside = QRectF(option.rect).adjusted(6, 0, -6, 0)
        number = option.fontMetrics.horizontalAdvance(_NUMBER_WIDTH) + 4.0
        track = QRectF(inside.left(), inside.center().y() - 4, max(0.0, inside.width() - number - 4), 8)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = text_colour.toRgb()
        ground.setAlphaF(0.16)
        painter.setBrush(ground)
        painter.drawRoundedRect(track, 4, 4)
        painter.setBrush(text_colour if selected else bar_colour(option.palette))
        painter.drawRoundedRect(QRectF(track.left(), track.top(), max(4.0, track.width() * value), 8), 4, 4)
        painter.setPen(text_colour)
        painter.drawText(inside, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), f"{value:.0%}")
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        size = super().sizeHint(option, index)
        return QSize(option.fontMetrics.horizontalAdvance(_NUMBER_WIDTH) + 80, size.height())
