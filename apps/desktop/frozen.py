"""The entry of the standalone build: the app, or one of its child processes, which ask for a module as Python would."""

import multiprocessing
import runpy
import sys

# As `keraudio.tagging.workers` and `keraudio_desktop.child_process` start them.
_CHILD = ["-P", "-m"]


def main() -> None:
    """Runs a module of the build, or the app."""
    multiprocessing.freeze_support()
    if sys.argv[1:3] == _CHILD:
        name = sys.argv[3]
        sys.argv = [name, *sys.argv[4:]]
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return
    from keraudio_desktop.start import main as start

    start()


if __name__ == "__main__":
    main()
