"""Starting the app."""

import sys
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from keraudio_desktop.main_window import MainWindow
from keraudio_desktop.settings import Settings
from keraudio_desktop.theme import use_style, use_theme


def run_app(folder: Path | None = None, settings_file: Path | None = None) -> int:
    """Shows the window until it is closed, and returns the exit code.

    Args:
        folder: opened at once. Defaults to none.
        settings_file: where choices are kept, instead of the platform's place.
    """
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("keraudio")
    app.setDesktopFileName("keraudio")
    use_style(app)
    settings = Settings(settings_file)
    use_theme(settings.theme)
    window = MainWindow(settings)
    window.show()
    # With the next turns of the event loop, when the window is there.
    if folder is not None:
        QTimer.singleShot(0, window, lambda: window.open_paths([folder]))
    QTimer.singleShot(0, window, window.warm_up)
    return app.exec()


def main() -> None:
    """The gui script: `keraudio-app [FOLDER]`."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    sys.exit(run_app(folder))


if __name__ == "__main__":
    main()
