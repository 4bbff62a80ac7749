"""The app on a virtual screen, with real keys and clicks, from a folder to written songs and back; takes pictures.

    python apps/desktop/virtual_screen.py FOLDER_FOR_PICTURES [--app COMMAND]

Needs Xvfb, xdotool and Pillow. Songs are copies of the demo clips; journal, cache and settings are of its own. What
songs hold is checked with mutagen, what the screen shows is for people's eyes. Prints how long each start took.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mutagen
from PIL import Image, ImageGrab

CHECKOUT = Path(__file__).resolve().parents[2]
DEMO = CHECKOUT / "keraudio" / "tagging" / "demo"
DISPLAY = ":97"
# Seconds for what only the eye can see to be done: loading the model for a song's pictures, on a busy machine.
PATIENCE = 24.0
SIZE = "1440x900"


def main() -> None:
    """Runs all scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--app", default=f"{sys.executable} -m keraudio_desktop.start", help="what starts the app")
    arguments = parser.parse_args()
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, virtual_screen(DISPLAY, SIZE):
        scenes = Scenes(Path(name), arguments.pictures.absolute(), shlex.split(arguments.app))
        scenes.open_to_undo()
        scenes.dark_and_error()
    with tempfile.TemporaryDirectory() as name, virtual_screen(DISPLAY, "2880x1800"):
        Scenes(Path(name), arguments.pictures.absolute(), shlex.split(arguments.app)).double_scale()


@contextmanager
def virtual_screen(display: str, size: str) -> Iterator[None]:
    """An X server without a screen, for as long as the block runs."""
    server = subprocess.Popen(
        ["Xvfb", display, "-screen", "0", f"{size}x24", "-nolisten", "tcp"], stderr=subprocess.DEVNULL
    )
    os.environ["DISPLAY"] = display
    try:
        wait_for(lambda: subprocess.run(["xdotool", "getmouselocation"], capture_output=True).returncode == 0, 10)
        yield
    finally:
        server.terminate()
        server.wait()


def wait_for(ready: Callable[[], bool], seconds: float) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"The screen must be ready within the time. Received: {seconds} s without it")
        time.sleep(0.05)


def xdotool(*words: object) -> str:
    """One command of xdotool."""
    return subprocess.run(["xdotool", *map(str, words)], capture_output=True, text=True, check=True).stdout.strip()


def genres(folder: Path) -> dict[str, list[str]]:
    """Genres by name, as mutagen reads them."""
    found = {}
    for path in sorted(folder.rglob("*.ogg")):
        song = mutagen.File(path)
        found[path.name] = [] if song is None else list(song.get("genre", []))
    return found


class Scenes:
    """Acts with the keyboard and the mouse on songs of its own.

    Args:
        place: folder for songs, journal, cache and settings.
        pictures: where pictures go.
        command: starts the app.
    """

    def __init__(self, place: Path, pictures: Path, command: list[str]) -> None:
        self.place, self.pictures, self.command = place, pictures, command
        self.songs = place / "Music"
        (self.songs / "Compilations").mkdir(parents=True)
        for clip in DEMO.glob("*.ogg"):
            shutil.copy(clip, self.songs)
        first = sorted(self.songs.glob("*.ogg"))[0]
        long = (
            "Concerto for two very long names, with all movements, remastered, live at the Old Town Hall (bonus track)"
        )
        shutil.copy(first, self.songs / "Compilations" / f"{long}.ogg")
        shutil.copy(
            sorted(self.songs.glob("*.ogg"))[2], self.songs / "Compilations" / "Ωδή στη νύχτα, ночь, Jägerstraße.ogg"
        )
        (self.songs / "broken.mp3").write_bytes(b"no song" * 1000)
        song = mutagen.File(self.songs / "Compilations" / "Ωδή στη νύχτα, ночь, Jägerstraße.ogg")
        song["genre"] = ["Chiptune", "Video Game"]
        song.save()
        self.environment = os.environ | {
            "KERAUDIO_CACHE": str(place / "cache"),
            "KERAUDIO_JOURNAL": str(place / "journal.sqlite3"),
            "XDG_CONFIG_HOME": str(place / "config"),
            "KERAUDIO_SOUND": "null",
            "QT_QPA_PLATFORM": "xcb",
        }

    @contextmanager
    def app(self, *arguments: str, **environment: str) -> Iterator[str]:
        """The app's window, by its number, for as long as the block runs."""
        began = time.monotonic()
        process = subprocess.Popen([*self.command, *arguments], env=self.environment | environment)
        try:
            window = self.window("keraudio")
            print(f"window after {time.monotonic() - began:.2f} s")
            self.process, self.main = process, window
            yield window
            xdotool("key", "ctrl+q")
            process.wait(20)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0, process.returncode

    def listener(self) -> int:
        """The app's process that listens, as Linux knows it."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and b"keraudio_desktop.listener" in (process / "cmdline").read_bytes():
                    return int(process.name)
        raise RuntimeError("The app must have a process that listens. Received: none")

    def window(self, title: str) -> str:
        """Number of the window with a title, as soon as it is there."""
        found: list[str] = []

        def there() -> bool:
            command = ["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"]
            found[:] = subprocess.run(command, capture_output=True, text=True).stdout.split()
            return bool(found)

        wait_for(there, 60)
        # There is no window manager that would do that.
        xdotool("windowfocus", "--sync", found[-1])
        return found[-1]

    def picture(self, name: str) -> None:
        """Takes a picture of the whole screen."""
        time.sleep(0.6)
        geometry = dict(line.split("=") for line in xdotool("getwindowgeometry", "--shell", self.main).splitlines())
        left, top, width, height = (int(geometry[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))
        screen = ImageGrab.grab(xdisplay=os.environ["DISPLAY"])
        image = screen.crop((left, top, left + width, top + height)).convert("RGB")
        image.quantize(128, dither=Image.Dither.NONE).save(self.pictures / f"{name}.png", optimize=True)

    def wait_for_results(self, count: int) -> None:
        """Waits until some sounds are heard, whose results the cache then has; copies of a song are one sound."""

        def heard() -> bool:
            with contextlib.suppress(sqlite3.Error):
                results = sqlite3.connect(f"file:{self.place / 'cache' / 'results.sqlite3'}?mode=ro", uri=True)
                with contextlib.closing(results):
                    return bool(results.execute("SELECT count(*) FROM results").fetchone()[0] >= count)
            return False

        wait_for(heard, 120)

    def written(self) -> bool:
        """Whether any of the songs has another genre than before."""
        return genres(self.songs) != self.before

    def open_to_undo(self) -> None:
        """Opens a folder, reads the card, accepts, edits, applies and undoes."""
        self.before = genres(self.songs)
        with self.app():
            self.picture("first_run")
            xdotool("key", "ctrl+o")
            self.window("Open folder")
            xdotool("type", "--delay", 5, f"{self.songs}")
            xdotool("key", "Return")
            time.sleep(1.0)
            self.window("keraudio")
            self.wait_for_results(4)
            time.sleep(1)
            xdotool("key", "alt+1", "Home", "Down")
            time.sleep(PATIENCE / 2)
            xdotool("key", "ctrl+shift+a")
            xdotool("key", "e")
            xdotool("key", "ctrl+a")
            xdotool("type", "--delay", 20, "Arena Rock; Metal")
            xdotool("key", "Return")
            time.sleep(0.5)
            xdotool("key", "shift+Down")
            time.sleep(PATIENCE / 3)
            self.picture("finished")
            xdotool("key", "ctrl+Return")
            wait_for(self.written, 20)
            time.sleep(1)
            self.picture("applied")
            after = genres(self.songs)
            assert ["Arena Rock", "Metal"] in after.values(), after
            xdotool("key", "ctrl+z")
            wait_for(lambda: not self.written(), 20)
            time.sleep(1)
            self.picture("undone")
            print("open to undo:", len(after), "songs, written and taken back")

    def dark_and_error(self) -> None:
        """Dark colours, and the list of failures; a crash of what listens."""
        with self.app(str(self.songs)) as window:
            time.sleep(4)
            xdotool("key", "F9", "F9")
            # With the mouse: the third row.
            xdotool("mousemove", "--window", window, 160, 190, "click", 1)
            time.sleep(PATIENCE)
            self.picture("dark")
            xdotool("key", "alt+1", "ctrl+End", "Up")
            time.sleep(PATIENCE / 3)
            self.picture("long_names")
            xdotool("key", "alt+3")
            self.picture("dark_failures")
            os.kill(self.listener(), signal.SIGSEGV)
            time.sleep(1)
            self.picture("error")

    def double_scale(self) -> None:
        """Twice the size, as on dense screens."""
        with self.app(str(self.songs), QT_SCALE_FACTOR="2"):
            self.wait_for_results(3)
            self.picture("running")
            time.sleep(PATIENCE)
            xdotool("key", "alt+1", "Home", "Down")
            time.sleep(PATIENCE / 3)
            self.picture("double")


if __name__ == "__main__":
    main()
