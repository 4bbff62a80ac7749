"""What benchmarks share: ours and a peer take turns in one process, and each backend has a process of its own."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


def medians(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each call; all take turns, round after round, and a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if round_:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(of_one) for name, of_one in times.items()}


def child(script: str, backend: str, arguments: Sequence[str]) -> Any:
    """What a script prints as its last line, JSON, in a process of its own on a backend."""
    done = subprocess.run(
        [sys.executable, script, *arguments],
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(script: str, backends: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of a script's children, which get its own arguments and `--child`, backend by backend."""
    for backend in backends:
        yield from child(script, backend, [*sys.argv[1:], "--child"])
