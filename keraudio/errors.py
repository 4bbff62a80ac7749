"""The exceptions that keraudio raises for what a user can mend, each with the command line's exit code."""


class KeraudioError(Exception):
    """Root of keraudio's exceptions: one line that states the rule, then what was received."""

    exit_code = 1


class AudioError(KeraudioError):
    """An audio file cannot be read as sound."""


class ModelFileError(KeraudioError):
    """A model file is damaged, unsafe, or does not describe itself."""


class RecipeError(KeraudioError):
    """A recipe, or a `--set key=value`, breaks the schema."""

    exit_code = 2


class DatasetError(KeraudioError):
    """A data set is not laid out as its kind demands."""

    exit_code = 2


class TagError(KeraudioError):
    """A song's tags cannot be read or planned."""
