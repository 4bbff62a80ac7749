import pytest
from keraudio_desktop.eta import Eta, in_words


def test_the_rest_takes_as_long_as_the_songs_before() -> None:
    eta = Eta()
    assert eta.seconds_left(0.0, 0, 100) is None
    assert eta.seconds_left(10.0, 20, 100) == pytest.approx(40.0)
    assert eta.seconds_left(50.0, 100, 100) == 0.0


def test_what_was_long_ago_no_longer_counts() -> None:
    eta = Eta()
    # A thousand known songs rush by, then each takes a second.
    eta.seconds_left(0.0, 0, 2000)
    eta.seconds_left(1.0, 1000, 2000)
    for second in range(2, 200):
        left = eta.seconds_left(float(second), 999 + second, 2000)
    assert left == pytest.approx(2000 - 1198, rel=0.02)


def test_a_pause_does_not_count() -> None:
    eta = Eta()
    eta.seconds_left(0.0, 0, 100)
    eta.seconds_left(10.0, 10, 100)
    eta.restart()
    eta.seconds_left(1000.0, 10, 100)
    assert eta.seconds_left(1010.0, 20, 100) == pytest.approx(80.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s left"), (89, "89 s left"), (200, "3 min left"), (9000, "2.5 h left")]
)
def test_times_are_said_in_words(seconds: float, text: str) -> None:
    assert in_words(seconds) == text
