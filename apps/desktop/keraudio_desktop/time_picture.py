"""What the pictures of a song share: one clock from left to right, the place that is played, and clicks that seek."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from keraudio_desktop.theme import cursor_colour


class TimePicture(QWidget):
    """A picture of a song over time; those that are drawn below each other share their margin.

    Args:
        title: the accessible name.
        caption: stands in the margin.
        height: in pixels.

    Signals:
        picked(seconds): where the user clicked.
    """

    picked = Signal(float)

    def __init__(self, title: str, caption: str, height: int) -> None:
        super().__init__()
        self._caption, self._height = caption, height
        self.duration = 0.0
        self._at: float | None = None
        self.setAccessibleName(title)
        self.setToolTip(f"{title}: click to play from there")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(260, self._height)

    def minimumSizeHint(self) -> QSize:
        return QSize(180, self._height)

    def clear(self) -> None:
        """Shows no song."""
        self.duration = 0.0
        self.set_position(None)
        self.setAccessibleDescription("")

    def set_position(self, seconds: float | None) -> None:
        """Marks the place that is played."""
        self._at = seconds
        self.update()

    def margin(self) -> int:
        """Width of the column of names, in pixels."""
        return self.fontMetrics().averageCharWidth() * 15

    def plot(self) -> QRectF:
        """Where time runs."""
        return QRectF(self.margin(), 2, max(1, self.width() - self.margin() - 2), self.height() - 4)

    def x_of(self, seconds: float) -> float:
        """Place of an instant."""
        plot = self.plot()
        return plot.left() + plot.width() * (seconds / self.duration if self.duration else 0.0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        plot, x = self.plot(), event.position().x()
        if event.button() == Qt.MouseButton.LeftButton and self.duration and x >= plot.left():
            self.picked.emit(min(1.0, (x - plot.left()) / plot.width()) * self.duration)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.plot(), self.palette().color(QPalette.ColorRole.Base))
        self.paint(painter)
        if self._at is not None and self.duration:
            painter.setPen(QPen(cursor_colour(self.palette()), 2))
            x = self.x_of(min(self._at, self.duration))
            painter.drawLine(int(x), 2, int(x), self.height() - 2)

    def paint_name(self, painter: QPainter, text: str, band: QRectF) -> None:
        """Writes into the margin, shortened where it must be."""
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        room = QRectF(0, band.top(), self.margin() - 6, band.height())
        shown = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), shown)

    def paint(self, painter: QPainter) -> None:
        """Draws what this picture shows."""
        raise NotImplementedError


def clock(seconds: float) -> str:
    """Minutes and seconds: 3:07."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
