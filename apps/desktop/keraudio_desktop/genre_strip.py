"""Genres over a song's time: a row a label, the darker the likelier."""

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from keraudio_desktop.theme import bar_colour
from keraudio_desktop.time_picture import TimePicture, clock

_ROWS = 4
_ROW_HEIGHT = 20


class GenreStrip(TimePicture):
    """The answer of each window of a song."""

    def __init__(self) -> None:
        super().__init__("Genres over time", "Genres", _ROWS * _ROW_HEIGHT + 4)
        self._labels: list[str] = []
        self._starts = np.zeros(0)
        self._probabilities = np.zeros((0, 0))

    def show_song(self, labels: list[str], starts: np.ndarray, probabilities: np.ndarray, duration: float) -> None:
        """Shows window answers.

        Args:
            labels: at most four are shown.
            starts: `(windows,)` in seconds; a window's answer holds until the next one begins.
            probabilities: `(windows, labels)`.
            duration: of the song, in seconds.
        """
        self._labels, self._starts, self._probabilities = labels[:_ROWS], starts, probabilities
        self.duration = duration
        self.setAccessibleDescription(self.words())
        self.update()

    def clear(self) -> None:
        self._labels, self._starts, self._probabilities = [], np.zeros(0), np.zeros((0, 0))
        super().clear()

    def words(self) -> str:
        """What the strip shows, for those who do not see it: the likeliest label and from when on."""
        parts: list[str] = []
        last = None
        for start, row in zip(self._starts, self._probabilities, strict=True):
            best = self._labels[int(np.argmax(row[: len(self._labels)]))] if row.any() else "silence"
            if best != last:
                parts.append(f"{best} from {clock(float(start))}")
            last = best
        return ", ".join(parts)

    def paint(self, painter: QPainter) -> None:
        colour = bar_colour(self.palette())
        plot = self.plot()
        if not self._labels:
            self.paint_name(painter, self._caption, plot)
            return
        height = plot.height() / _ROWS
        edges = [self.x_of(float(start)) for start in self._starts] + [plot.right()]
        for row, label in enumerate(self._labels):
            band = QRectF(plot.left(), plot.top() + row * height + 1, plot.width(), height - 2)
            self.paint_name(painter, label, band)
            for left, right, value in zip(edges, edges[1:], self._probabilities[:, row], strict=False):
                colour.setAlphaF(float(np.clip(value, 0.0, 1.0)))
                painter.fillRect(QRectF(left, band.top(), right - left, band.height()), colour)
