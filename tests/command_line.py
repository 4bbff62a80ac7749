"""What the tests of the command line, of tagging and of the whole share: runs in a child, songs and broken songs."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

# The verbs of a child process, without the console script, which an uninstalled checkout lacks.
ENTRY = "from keraudio.cli.main import main; main()"

TINY_RECIPE = """\
schema = 1
name = "tiny"
summary = "Two tones"

[data]
split = "random"
fractions = [0.5, 0.25, 0.25]

[audio]
sample_rate = 4000
window = 0.5

[front_end]
name = "log_mel"
n_fft = 256
hop_length = 128
n_mels = 16

[backbone]
name = "residual_cnn"
filters = [4]

# Steps enough for the moving averages of batch normalization.
[training]
epochs = 2
batch_size = 4
crops_per_clip = 75
learning_rate = 0.01
"""

# File systems keep any bytes but "/" and NUL as a name.
ODD_NAMES = (
    "not utf-8 \udcff\udc80.wav",
    'line\nbreak\ttab "quotes", comma.wav',
    "emoji \U0001f3b8 é.wav",
    "\x1b[31mred.wav",
)


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line came to."""

    code: int
    out: bytes
    err: bytes

    @property
    def lines(self) -> list[str]:
        """Lines of standard output; bytes that are not UTF-8 stand as surrogates."""
        return self.out.decode(errors="surrogateescape").splitlines()

    @property
    def message(self) -> str:
        """Standard error, which is one line wherever something was fatal."""
        text = self.err.decode(errors="surrogateescape").removesuffix("\n")
        # libmpg123, inside libsndfile, comments on a damaged MP3 by itself.
        return "\n".join(line for line in text.split("\n") if not line.startswith("Note: "))


@dataclass(frozen=True)
class Child(Outcome):
    """The outcome of a child process, and the CPU time that it took in seconds."""

    cpu_seconds: float


def run_child(code: str, *arguments: object, folder: Path | None = None, **environment: str) -> Child:
    """Runs Python code in a fresh process that can import this checkout."""
    checkout = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(filter(None, [f"{checkout}", f"{checkout / 'apps/desktop'}", os.environ.get("PYTHONPATH")]))
    # JAX, in this process, has asked for more of TensorFlow's log than the command line does.
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    everything = inherited | {"PYTHONPATH": path} | environment
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env=everything,
        capture_output=True,
        timeout=300,
        check=False,
    )
    after = os.times()
    # CPU time, not the clock: other work on the machine must not matter.
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Child(done.returncode, done.stdout, done.stderr, spent)


def write_song(path: Path, *, frequency: float = 440.0, seconds: float = 1.0, sample_rate: int = 4000) -> Path:
    """A tone with a little noise, as 16-bit WAV or FLAC."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    noise = 0.02 * np.random.default_rng(round(frequency)).standard_normal(len(time))
    # Through an open file, because soundfile encodes names strictly and refuses one that is not UTF-8.
    kind = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}[path.suffix]
    with open(path, "wb") as file:
        soundfile.write(file, 0.5 * np.sin(2 * np.pi * frequency * time) + noise, sample_rate, format=kind)
    return path


def write_broken_songs(folder: Path) -> dict[str, str]:
    """Files of every sort that cannot be read as sound: name, and a phrase of the reason."""
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("not a song\n" * 40)
    (folder / "random.ogg").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    soundfile.write(folder / "no_samples.wav", np.zeros(0), 4000)
    soundfile.write(folder / "nan.wav", np.full(4000, np.nan), 4000, subtype="FLOAT")
    whole = write_song(folder / "truncated.wav", seconds=2.0).read_bytes()
    (folder / "truncated.wav").write_bytes(whole[: len(whole) // 2])
    whole = write_song(folder / "truncated.flac", seconds=2.0).read_bytes()
    (folder / "truncated.flac").write_bytes(whole[: len(whole) // 2])
    return {
        "dangling.wav": "does not exist",
        "empty.wav": "is empty",
        "nan.wav": "NaN",
        "no_samples.wav": "no samples",
        "random.ogg": "not audio, or damaged",
        "text.mp3": "not audio, or damaged",
        "truncated.flac": "truncated or damaged",
        "truncated.wav": "truncated or damaged",
    }


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder with its content, mode and time of change."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (content, status.st_mode, status.st_mtime_ns, status.st_size, status.st_ino)
    return found
