import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tones import run_python

from keraudio.audio import load_audio
from keraudio.datasets import Clip, Manifest
from keraudio.errors import DatasetError
from keraudio.pipeline import CachedClips, cache_clips, default_cache_folder

RATE = 8000
HEADER = 128


def write(path: Path, samples: np.ndarray | None = None, *, seed: int = 0, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(seed).uniform(-0.9, 0.9, 900) if samples is None else samples
    soundfile.write(path, sound, RATE, **options)
    return path


def manifest_of(paths: list[Path]) -> Manifest:
    clips = tuple(Clip(path, ("a",), path.name, "train" if n % 2 else "valid") for n, path in enumerate(paths))
    return Manifest("made", clips, ("a", "b"), multi_label=False)


def cache(paths: list[Path], folder: Path, **options: Any) -> CachedClips:
    return cache_clips(manifest_of(paths), folder=folder, **{"sample_rate": RATE} | options)


def whole(clips: CachedClips, row: int = 0) -> np.ndarray:
    return clips.read(row, 0, int(clips.lengths[row]))


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: Any) -> None:
        pytest.fail(f"{path} was decoded again")

    monkeypatch.setattr("keraudio.pipeline.cache.load_audio", refuse)


@pytest.mark.parametrize("sample_rate", [RATE, 5512])
def test_a_cached_clip_is_the_decoded_one_to_half_a_step_of_16_bits(tmp_path: Path, sample_rate: int) -> None:
    path = write(tmp_path / "a.wav", subtype="FLOAT")
    clips = cache([path], tmp_path / "cache", sample_rate=sample_rate)
    truth = load_audio(path, sample_rate=sample_rate)
    assert clips.lengths.dtype == np.int64 and clips.lengths.tolist() == [len(truth)]
    read = whole(clips)
    assert read.dtype == np.float32
    # Half a step, and what float32 rounds near 1.
    assert np.abs(read - truth).max() <= 0.5 / 32767 + 6e-8


def test_16_bit_sound_stays_apart_and_silence_stays_silent(tmp_path: Path) -> None:
    steps = np.arange(-32768, 32768, 73).astype("int16")
    sound = np.concatenate([np.zeros(5, "int16"), steps])
    read = whole(cache([write(tmp_path / "a.wav", sound)], tmp_path / "cache"))
    assert not read[:5].any()
    assert (np.diff(read[5:]) > 0).all()


def test_peaks_beyond_full_scale_are_clipped_and_do_not_wrap(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.array([0.5, 1.7, -3.0, 1.0, -1.0, 1.00001]), subtype="FLOAT")
    read = whole(cache([path], tmp_path / "cache"))
    np.testing.assert_allclose(read, [0.5, 1, -1, 1, -1, 1], atol=0.5 / 32767)
    assert np.abs(read).max() <= 1


def test_reading_beyond_the_end_gives_zeros(tmp_path: Path) -> None:
    clips = cache([write(tmp_path / "a.wav", np.full(10, 0.5))], tmp_path / "cache")
    assert (clips.read(0, 7, 6) != 0).tolist() == [True, True, True, False, False, False]
    assert clips.read(0, 10, 3).tolist() == [0, 0, 0]
    assert clips.read(0, 50, 3).tolist() == [0, 0, 0]


def test_a_clip_is_decoded_once(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    paths = [write(tmp_path / f"{n}.wav", seed=n) for n in range(3)]
    first = cache(paths, tmp_path / "cache")
    request.getfixturevalue("no_decoding")
    second = cache(paths, tmp_path / "cache")
    assert second.files == first.files
    np.testing.assert_array_equal(second.lengths, first.lengths)


def test_a_moved_clip_is_not_decoded_anew(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = write(tmp_path / "a.wav")
    first = cache([path], tmp_path / "cache")
    moved = path.rename(tmp_path / "b.wav")
    request.getfixturevalue("no_decoding")
    assert cache([moved], tmp_path / "cache").files == first.files


def test_an_edited_clip_is_decoded_anew_even_with_the_same_size_and_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full(10, 0.5))
    first, before = cache([path], tmp_path / "cache"), path.stat()
    write(path, np.full(10, -0.25))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    second = cache([path], tmp_path / "cache")
    assert second.files != first.files
    np.testing.assert_allclose(whole(second), -0.25, atol=1e-4)
    np.testing.assert_allclose(whole(first), 0.5, atol=1e-4)


def test_each_sample_rate_has_its_own_entry(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    lengths = [cache([path], tmp_path / "cache", sample_rate=rate).lengths[0] for rate in (8000, 4000, 8000)]
    assert lengths == [900, 450, 900]


def test_two_clips_of_the_same_content_share_an_entry(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.wav"), write(tmp_path / "b.wav")]
    clips = cache(paths, tmp_path / "cache")
    assert len(clips) == 2 and len(set(clips.files)) == 1


def other_array(array: np.ndarray) -> bytes:
    target = io.BytesIO()
    np.save(target, array)
    return target.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: good[:40], id="header cut"),
        pytest.param(lambda good: good[:HEADER], id="no samples"),
        pytest.param(lambda good: good[:-500], id="samples cut"),
        pytest.param(lambda good: good + good, id="too long"),
        pytest.param(lambda good: bytes(len(good)), id="zeros"),
        pytest.param(lambda good: b"PK\x03\x04" + good, id="an archive's start"),
        pytest.param(lambda good: other_array(np.zeros(900, "float64")), id="another type"),
        pytest.param(lambda good: other_array(np.zeros((30, 30), "int16")), id="another shape"),
        pytest.param(lambda good: other_array(np.array([{}], dtype=object)), id="a pickle"),
    ],
)
def test_a_damaged_entry_is_decoded_anew(tmp_path: Path, damage: Any) -> None:
    path = write(tmp_path / "a.wav")
    first = cache([path], tmp_path / "cache")
    good = first.files[0].read_bytes()
    first.files[0].write_bytes(damage(good))
    second = cache([path], tmp_path / "cache")
    assert not second.failures
    assert second.files[0].read_bytes() == good
    assert np.abs(whole(second) - load_audio(path, sample_rate=RATE)).max() < 1e-4


@pytest.fixture(scope="module")
def one_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bytes]:
    folder = tmp_path_factory.mktemp("one")
    path = write(folder / "a.wav")
    return path, folder / "cache", cache([path], folder / "cache").files[0].read_bytes()


@settings(max_examples=15, deadline=None)
@given(changes=st.dictionaries(st.integers(0, HEADER - 1), st.integers(0, 255), min_size=1, max_size=3))
def test_no_change_of_the_header_goes_unnoticed(one_clip: tuple[Path, Path, bytes], changes: dict[int, int]) -> None:
    path, folder, good = one_clip
    damaged = bytearray(good)
    for place, value in changes.items():
        damaged[place] = value
    file = cache([path], folder).files[0]
    file.write_bytes(damaged)
    assert cache([path], folder).files == (file,)
    assert file.read_bytes() == good


def test_clips_that_do_not_decode_are_failures_with_their_reason(tmp_path: Path) -> None:
    good = [write(tmp_path / f"{n}.wav", seed=n) for n in range(2)]
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    bad = [tmp_path / name for name in ("text.wav", "empty.wav", "folder.wav", "missing.wav")]
    clips = cache([bad[0], good[0], bad[1], bad[2], good[1], bad[3]], tmp_path / "cache")
    assert [clip.path for clip in clips.manifest] == good
    assert len(clips) == len(clips.files) == len(clips.lengths) == 2
    assert [clip.path for clip, _ in clips.failures] == bad
    for clip, reason in clips.failures:
        assert reason.startswith(f"{clip.path}: ") and "\n" not in reason
    assert clips.manifest.labels == ("a", "b")


def test_a_data_set_without_one_good_clip_is_an_error_that_names_a_reason(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Received: 2 that do not; the first: .*x\.wav: "):
        cache([tmp_path / "x.wav", tmp_path / "y.wav"], tmp_path / "cache")


def test_a_split_keeps_files_and_lengths_beside_their_clips(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.wav", np.full(10 + n, n / 10)) for n in range(5)]
    clips = cache(paths, tmp_path / "cache")
    train = clips.split("train")
    assert [clip.path for clip in train.manifest] == [paths[1], paths[3]]
    assert train.lengths.tolist() == [11, 13]
    np.testing.assert_allclose(whole(train, 1), 0.3, atol=1e-4)
    with pytest.raises(DatasetError, match="Split 'test'"):
        clips.split("test")


def test_a_training_holds_no_file_open_for_its_clips(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.wav", seed=n) for n in range(60)]
    cache(paths, tmp_path / "cache")
    before = len(os.listdir("/dev/fd"))
    clips = cache(paths, tmp_path / "cache")
    for row in range(len(clips)):
        clips.read(row, 0, 100)
    # A data set has thousands of clips, a process often 1024 files.
    assert len(os.listdir("/dev/fd")) - before < 10


def test_progress_counts_every_clip(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.wav", seed=n) for n in range(4)] + [tmp_path / "missing.wav"]
    told: list[tuple[int, int]] = []
    cache(paths, tmp_path / "cache", progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 5) for n in range(1, 6)]


def test_an_interrupt_leaves_the_rest_undecoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def slow(path: Path, *, sample_rate: int) -> np.ndarray:
        decoded.append(path)
        return load_audio(path, sample_rate=sample_rate)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("keraudio.pipeline.cache.load_audio", slow)
    paths = [write(tmp_path / f"{n}.wav", seed=n) for n in range(200)]
    with pytest.raises(KeyboardInterrupt):
        cache(paths, tmp_path / "cache", jobs=1, progress=interrupt)
    assert len(decoded) < 200


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAUDIO_CACHE", str(tmp_path))
    assert default_cache_folder() == tmp_path
    monkeypatch.delenv("KERAUDIO_CACHE")
    assert default_cache_folder().name == "keraudio"


CACHE_FOLDER = """
import os, signal, sys, time
from pathlib import Path
from unittest.mock import MagicMock
import numpy as np
# Caching needs no Keras, whose import takes longer than all the rest.
sys.modules["keraudio.pipeline.feed"] = MagicMock()
from keraudio.datasets import Clip, Manifest
from keraudio.pipeline import cache_clips

sound, folder = Path(sys.argv[1]), Path(sys.argv[2])
clips = tuple(Clip(path, ("a",), path.name) for path in sorted(sound.iterdir()))
manifest = Manifest("made", clips, ("a", "b"), multi_label=False)
"""
# Each waits for the other, so that they begin together.
CACHE_ALL = f"""{CACHE_FOLDER}
(folder.parent / str(os.getpid())).touch()
while len([name for name in os.listdir(folder.parent) if name.isdigit()]) < 2:
    time.sleep(0.002)
print(cache_clips(manifest, sample_rate=8000, folder=folder).lengths.sum())
"""
KILL_WHILE_WRITING = f"""{CACHE_FOLDER}
save, count = np.save, 0

def half(target, samples, **options):
    global count
    count += 1
    if count < 8:
        return save(target, samples, **options)
    target.write(b"half a clip")
    target.flush()
    os.kill(os.getpid(), signal.SIGKILL)

np.save = half
cache_clips(manifest, sample_rate=8000, folder=folder)
"""


def entries(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.npy") if not file.name.startswith("."))


def test_two_processes_at_once_leave_whole_entries_and_nothing_else(tmp_path: Path) -> None:
    paths = [write(tmp_path / "sound" / f"{n:02}.wav", np.full(500 + n, 0.3)) for n in range(40)]
    here = Path(__file__).resolve().parents[2]
    environment = os.environ | {"KERAS_BACKEND": "numpy", "PYTHONPATH": str(here)}
    command = [sys.executable, "-c", CACHE_ALL, str(tmp_path / "sound"), str(tmp_path / "cache")]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=120)[0].split()[-1] for process in both]
    assert [int(answer) for answer in answers] == [sum(range(500, 540))] * 2
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert sorted(files) == entries(tmp_path / "cache") and len(files) == len(paths)
    assert sorted(len(np.load(file)) for file in files) == list(range(500, 540))


def test_a_kill_in_the_middle_of_a_write_leaves_whole_entries_that_are_used(tmp_path: Path) -> None:
    paths = [write(tmp_path / "sound" / f"{n:02}.wav", np.full(500 + n, 0.3)) for n in range(20)]
    killed = run_python(KILL_WHILE_WRITING, tmp_path / "sound", tmp_path / "cache", backend="numpy")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    kept = {file: file.stat().st_mtime_ns for file in entries(tmp_path / "cache")}
    assert 0 < len(kept) < 20
    assert all(len(np.load(file)) >= 500 for file in kept)
    clips = cache(paths, tmp_path / "cache")
    assert clips.lengths.tolist() == list(range(500, 520))
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items())


def test_a_cache_that_was_copied_is_used(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = write(tmp_path / "a.wav")
    cache([path], tmp_path / "cache")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    request.getfixturevalue("no_decoding")
    assert len(cache([path], tmp_path / "copy")) == 1
