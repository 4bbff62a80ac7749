"""How long a run will still take."""

from collections import deque

# Known songs rush by and new ones take their time: the last minute says more than the whole run.
_WINDOW_SECONDS = 60.0


class Eta:
    """Estimates from how many songs were done at what time; pauses do not count."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def restart(self) -> None:
        """Forgets what was seen, as after a pause."""
        self._seen.clear()

    def seconds_left(self, now: float, done: int, total: int) -> float | None:
        """Seconds until all are done; None as long as that cannot be said.

        Args:
            now: a clock's time, in seconds.
            done: songs so far.
            total: of the run.
        """
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()
        then, before = self._seen[0]
        if done >= total:
            return 0.0
        return (total - done) * (now - then) / (done - before) if done > before and now > then else None


def in_words(seconds: float) -> str:
    """About how long: "40 s left", "3 min left", "2 h left"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    return f"{round(seconds / 60)} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"
