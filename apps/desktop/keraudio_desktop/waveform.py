"""The outline of a song's waveform."""

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter, QPolygonF

from keraudio_desktop.theme import bar_colour
from keraudio_desktop.time_picture import TimePicture, clock


class Waveform(TimePicture):
    """Lowest and highest sample of each stretch of a song."""

    def __init__(self) -> None:
        super().__init__("Waveform", "Waveform", 64)
        self._outline = np.zeros((0, 2))
        self._heard = 0.0

    def show_song(self, outline: np.ndarray, heard: float, duration: float) -> None:
        """Shows an outline float32 `(columns, 2)` of the first `heard` of `duration` seconds."""
        self._outline, self._heard, self.duration = outline, heard, duration
        loudest = float(np.abs(outline).max()) if len(outline) else 0.0
        self.setAccessibleDescription(f"{clock(duration)} long, loudest sample {loudest:.0%} of full scale")
        self.update()

    def clear(self) -> None:
        self._outline = np.zeros((0, 2))
        super().clear()

    def paint(self, painter: QPainter) -> None:
        plot = self.plot()
        self.paint_name(painter, self._caption, plot)
        if not len(self._outline):
            return
        middle, half = plot.center().y(), plot.height() / 2
        x = np.linspace(plot.left(), self.x_of(min(self._heard, self.duration)), len(self._outline))
        upper = [QPointF(a, middle - half * b) for a, b in zip(x.tolist(), self._outline[:, 1].tolist(), strict=True)]
        lower = [QPointF(a, middle - half * b) for a, b in zip(x.tolist(), self._outline[:, 0].tolist(), strict=True)]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(bar_colour(self.palette()))
        painter.setBrush(bar_colour(self.palette()))
        painter.drawPolygon(QPolygonF(upper + lower[::-1]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
