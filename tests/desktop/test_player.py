from pathlib import Path

import numpy as np
import pytest
from command_line import write_song
from keraudio_desktop.player import Player
from keraudio_desktop.playing import RATE, Tape
from pytestqt.qtbot import QtBot

from keraudio import load_audio


def test_a_song_is_played_from_the_middle_to_its_end(qtbot: QtBot, tmp_path: Path) -> None:
    song = write_song(tmp_path / "a.wav", seconds=3.0, sample_rate=8000)
    player, places = Player(), []
    player.moved.connect(places.append)
    with qtbot.waitSignal(player.playing_changed, check_params_cb=lambda on: not on, timeout=120_000):
        player.play(song, 1.5)
    assert places and places == sorted(places)
    assert 1.5 <= places[0] < 2.5 and places[-1] == pytest.approx(3.0, abs=0.3)
    player.close()


def test_seeking_goes_on_elsewhere_and_stopping_is_silent(qtbot: QtBot, tmp_path: Path) -> None:
    song = write_song(tmp_path / "a.wav", seconds=30.0, sample_rate=8000)
    player, places = Player(), []
    player.moved.connect(places.append)
    player.play(song, 0.0)
    qtbot.waitUntil(lambda: bool(places), timeout=120_000)
    player.play(song, 20.0)
    qtbot.waitUntil(lambda: places[-1] > 20.0, timeout=120_000)
    player.stop()
    assert not player.playing
    places.clear()
    qtbot.wait(400)
    assert not places
    player.close()


def test_without_a_device_it_says_so_once_and_never_asks_again(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if miniaudio had found none, whatever this machine has.
    (tmp_path / "miniaudio.py").write_text("raise ImportError\n")
    monkeypatch.syspath_prepend(tmp_path)
    player = Player()
    with qtbot.waitSignal(player.unavailable, timeout=120_000) as said:
        player.play(write_song(tmp_path / "a.wav"), 0.0)
    assert said.args == ["no sound device"] and not player.available and not player.playing
    player.play(tmp_path / "a.wav", 0.0)
    assert not player.playing
    player.close()


def test_a_tape_gives_the_songs_own_samples_and_then_silence(qtbot: QtBot, tmp_path: Path) -> None:
    song = write_song(tmp_path / "a.wav", seconds=0.5, sample_rate=8000)
    tape = Tape(song, 0.25)
    frames = tape.frames()
    next(frames)
    pieces: list[np.ndarray] = []

    def played() -> bool:
        pieces.append(frames.send(1000)[:, 0])
        return tape.done

    qtbot.waitUntil(played, timeout=60_000)
    heard = np.concatenate(pieces)
    heard = heard[np.flatnonzero(heard)[0] :]
    expected = load_audio(song, sample_rate=RATE, start=0.25)
    np.testing.assert_allclose(heard[: len(expected)], expected, atol=1e-4)
    assert not heard[len(expected) :].any()
