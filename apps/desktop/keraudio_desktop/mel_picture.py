"""A song's mel spectrogram, as keraudio's layers see it."""

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from keraudio_desktop.theme import mel_colours
from keraudio_desktop.time_picture import TimePicture


class MelPicture(TimePicture):
    """Levels of mel bands over time."""

    def __init__(self) -> None:
        super().__init__("Mel spectrogram", "Mel bands", 80)
        self._image: QImage | None = None
        self._heard = 0.0

    def show_song(self, levels: np.ndarray, heard: float, duration: float) -> None:
        """Shows levels uint8 `(bands, columns)` of the first `heard` of `duration` seconds."""
        height, width = levels.shape
        # Copied, as QImage does not keep the bytes that it is given.
        image = QImage(levels.tobytes(), width, height, width, QImage.Format.Format_Indexed8).copy()
        image.setColorTable(mel_colours())
        self._image, self._heard, self.duration = image, heard, duration
        self.setAccessibleDescription(f"{height} bands, low ones at the bottom; bright is loud")
        self.update()

    def clear(self) -> None:
        self._image = None
        super().clear()

    def paint(self, painter: QPainter) -> None:
        plot = self.plot()
        self.paint_name(painter, self._caption, plot)
        if self._image is not None:
            right = self.x_of(min(self._heard, self.duration))
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(plot.left(), plot.top(), right - plot.left(), plot.height()), self._image)
