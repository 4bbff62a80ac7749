"""Light and dark: the system's, or the one that the user chose; and the colours of what the app paints itself."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

THEMES = ("system", "light", "dark")
_SCHEMES = {
    "system": Qt.ColorScheme.Unknown,
    "light": Qt.ColorScheme.Light,
    "dark": Qt.ColorScheme.Dark,
}
# Of Okabe and Ito, "Color universal design" (2002), which people with any colour blindness tell apart; the lighter
# ones on dark ground.
_BLUE, _SKY = "#0072B2", "#56B4E9"
_VERMILION, _ORANGE = "#D55E00", "#E69F00"
# From silence to the loudest: lightness rises evenly, so that it reads in grey as well.
_MEL_STOPS = ("#08061c", "#2b1160", "#6a1c81", "#a93279", "#e2565c", "#fb8f61", "#fece91", "#fcfdbf")


def use_theme(name: str) -> None:
    """Shows the app in one of `THEMES`.

    Raises:
        ValueError: `name` is none of them.
    """
    if name not in THEMES:
        raise ValueError(f"`name` must be one of {', '.join(THEMES)}. Received: name={name!r}")
    QGuiApplication.styleHints().setColorScheme(_SCHEMES[name])
    # Systems without a theme of their own, such as a bare X server, cannot be asked for one.
    QApplication.setPalette(QPalette())
    if name == "dark" and not is_dark(QApplication.palette()):
        QApplication.setPalette(_dark_palette())


def _dark_palette() -> QPalette:
    window, base, text = QColor("#1f2124"), QColor("#16181a"), QColor("#e8e8e8")
    faint, blue = QColor("#8b8f94"), QColor("#2f7fb8")
    palette = QPalette(QColor("#2c2f33"), window)
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    for one, colour in {
        role.WindowText: text,
        role.Text: text,
        role.ButtonText: text,
        role.BrightText: QColor("#ffffff"),
        role.PlaceholderText: faint,
        role.Base: base,
        role.AlternateBase: QColor("#1b1d20"),
        role.ToolTipBase: QColor("#2c2f33"),
        role.ToolTipText: text,
        role.Highlight: blue,
        role.Accent: blue,
        role.HighlightedText: QColor("#ffffff"),
        role.Link: QColor(_SKY),
        role.Mid: QColor("#5a5e63"),
    }.items():
        palette.setColor(one, colour)
    for one in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(group.Disabled, one, QColor("#73777c"))
    return palette


def use_style(app: QApplication) -> None:
    """One style on every system, as it follows light and dark on all of them."""
    app.setStyle("Fusion")


def is_dark(palette: QPalette) -> bool:
    """Whether text is lighter than its ground."""
    text, ground = palette.color(QPalette.ColorRole.Text), palette.color(QPalette.ColorRole.Base)
    return text.lightness() > ground.lightness()


def bar_colour(palette: QPalette) -> QColor:
    """Of confidences and answers."""
    return QColor(_SKY if is_dark(palette) else _BLUE)


def cursor_colour(palette: QPalette) -> QColor:
    """Of the place that is played."""
    return QColor(_ORANGE if is_dark(palette) else _VERMILION)


def mel_colours() -> list[int]:
    """256 colours for a mel spectrogram's levels, as `QImage` takes them."""
    stops = [QColor(stop) for stop in _MEL_STOPS]
    colours = []
    for level in range(256):
        place = level / 255 * (len(stops) - 1)
        low = min(int(place), len(stops) - 2)
        share = place - low
        one, other = stops[low], stops[low + 1]
        parts = [
            round(a + (b - a) * share)
            for a, b in ((one.red(), other.red()), (one.green(), other.green()), (one.blue(), other.blue()))
        ]
        colours.append(QColor(*parts).rgb())
    return colours
