"""What the app remembers from one start to the next."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings

from keraudio_desktop.theme import THEMES

EXISTING = ("keep", "append", "replace")


class Settings:
    """The user's choices in the platform's place for settings.

    Args:
        file: an INI file instead. Defaults to none.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._store = (
            QSettings("keraudio", "desktop") if file is None else QSettings(str(file), QSettings.Format.IniFormat)
        )

    @property
    def folder(self) -> Path | None:
        """The last folder, if it is still there."""
        name = self._text("folder", "")
        return Path(name) if name and Path(name).exists() else None

    @folder.setter
    def folder(self, path: Path) -> None:
        self._store.setValue("folder", str(path))

    @property
    def model(self) -> str:
        """The last model: a name or a file; empty: the default."""
        return self._text("model", "")

    @model.setter
    def model(self, name: str) -> None:
        self._store.setValue("model", name)

    @property
    def theme(self) -> str:
        """Of `keraudio_desktop.theme.THEMES`."""
        name = self._text("theme", THEMES[0])
        return name if name in THEMES else THEMES[0]

    @theme.setter
    def theme(self, name: str) -> None:
        self._store.setValue("theme", name)

    @property
    def existing(self) -> str:
        """What becomes of genres that songs have."""
        name = self._text("existing", EXISTING[0])
        return name if name in EXISTING else EXISTING[0]

    @existing.setter
    def existing(self, name: str) -> None:
        self._store.setValue("existing", name)

    @property
    def percent(self) -> int:
        """Lowest confidence that counts, in percent."""
        try:
            return min(100, max(0, int(self._text("percent", "0"))))
        except ValueError:
            return 0

    @percent.setter
    def percent(self, value: int) -> None:
        self._store.setValue("percent", value)

    def state(self, name: str) -> QByteArray | None:
        """Of a window, splitter or header, as Qt saved it."""
        value: Any = self._store.value(f"state/{name}")
        return value if isinstance(value, QByteArray) else None

    def set_state(self, name: str, value: QByteArray) -> None:
        """Keeps the state of a window, splitter or header."""
        self._store.setValue(f"state/{name}", value)

    def flush(self) -> None:
        """Writes it down."""
        self._store.sync()

    def _text(self, name: str, default: str) -> str:
        return str(self._store.value(name, default))
