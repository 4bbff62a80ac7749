"""What a model file says of itself."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class Description(BaseModel):
    """What a classifier needs to be used rightly: it stands inside the `.keras` file and is never guessed.

    Attributes:
        labels: names of the outputs, in their order.
        sample_rate: of the input waveform, in Hz.
        window: length of the stretch that the model sees, in samples.
        hop: distance between successive windows of a clip, in samples.
        extra_labels: those of `labels` that are no answers - moods, eras, instruments - and shown only where asked for.
        multi_label: several labels may hold at once (sigmoid) instead of exactly one (softmax).
        aggregate: how windows vote on a clip: `"mean"`, `"majority"` or `"max"`.
        silence: decibels at which a window of a clip is silent and does not vote, as `keraudio.audio.audible_windows`
            has it. None: all vote.
        thresholds: probability from which each label is believed, one a label; below it the answer is "unsure".
            None: no threshold was fitted.
        temperature: the logits are divided by it, so that confidences match accuracies. 1: not calibrated.
        name: of the model, for people.
        schema_version: of this description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    labels: tuple[str, ...] = Field(min_length=1)
    sample_rate: int = Field(gt=0)
    window: int = Field(gt=0)
    hop: int = Field(gt=0)
    extra_labels: tuple[str, ...] = ()
    multi_label: bool = False
    aggregate: Literal["mean", "majority", "max"] = "mean"
    silence: float | None = None
    thresholds: tuple[float, ...] | None = None
    temperature: float = Field(default=1.0, gt=0)
    name: str = ""
    schema_version: Literal[1] = 1

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("`labels` must differ from each other")
        if unknown := set(self.extra_labels) - set(self.labels):
            raise ValueError(f"`extra_labels` must be among `labels`. Received: {sorted(unknown)[0]!r}")
        if self.extra_labels and not (self.multi_label and len(set(self.extra_labels)) < len(self.labels)):
            raise ValueError("`extra_labels` need `multi_label`, and a label that is not among them")
        if self.thresholds is not None and len(self.thresholds) != len(self.labels):
            raise ValueError(
                f"`thresholds` must be one a label. Received: {len(self.thresholds)} for {len(self.labels)} labels"
            )
        return self


def first_error(error: ValidationError) -> str:
    """The first complaint of pydantic in one line: key, rule, what was received."""
    problem: Any = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    if not key:
        return str(message)
    return f"`{key}`: {message}. Received: {problem['input']!r}"
