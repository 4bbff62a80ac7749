"""What a recipe says of training."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import keras
from keras import ops
from pydantic import BaseModel, ConfigDict, Field, model_validator

from keraudio.training.skipping import SkippingOptimizer


class MixupSettings(BaseModel):
    """Mixing of waveforms and labels.

    Attributes:
        kind: `"mixup"` (`keraudio.layers.Mixup`) or `"between_class"` (`keraudio.layers.BetweenClass`).
        alpha: of `"mixup"`.
        probability: share of the examples that are mixed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["mixup", "between_class"] = "mixup"
    alpha: float = Field(default=0.2, gt=0)
    probability: float = Field(default=1.0, ge=0, le=1)


class CopySettings(BaseModel):
    """Copies of each training clip, altered once; see `keraudio.pipeline.Copies`.

    Attributes:
        count: copies of each clip, beside the clip itself; 0 for none.
        delay: most seconds of silence before a copy.
        stretch: least and greatest tempo; None, its own.
        pitch: least and greatest shift in semitones; None, none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    count: int = Field(ge=0, le=100)
    delay: float = Field(default=0.0, ge=0)
    stretch: tuple[float, float] | None = None
    pitch: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.stretch is not None and not 0.25 <= self.stretch[0] <= self.stretch[1] <= 4:
            raise ValueError("`stretch` must be two tempos from 0.25 to 4, the lower one first")
        if self.pitch is not None and not -24 <= self.pitch[0] <= self.pitch[1] <= 24:
            raise ValueError("`pitch` must be two shifts from -24 to 24 semitones, the lower one first")
        return self


class TrainingSettings(BaseModel):
    """How a classifier is trained.

    Attributes:
        epochs: most passes over the training clips.
        batch_size: crops in a step.
        accumulate: steps whose mean gradient makes one update of the weights; batch normalization and an uneven rest at
            the end of an epoch, which the next one completes, apart, they train as one batch would.
        sampling: `"crops"`, at random, or `"windows"`: every window of every clip once an epoch, at the hop of
            evaluation (where that is the window's length, all segments, as Kim, Lee & Nam 2019 take them), or
            `"jittered"`: the same windows, each moved at random by up to half a hop.
        crops_per_clip: of `"crops"`, random crops of each clip in an epoch.
        optimizer: `"adamw"`, `"adam"` or `"sgd"` (Nesterov momentum 0.9).
        learning_rate: its highest value.
        beta_2: of `"adamw"` and `"adam"`, share of the squared gradients' mean that is kept from step to step.
        weight_decay: of `"adamw"` and `"sgd"`, decoupled, not applied to biases, normalization and the weights of
            `keraudio.layers`: a window or filter is not simpler for being smaller.
        schedule: `"cosine"` to zero after the warm-up, `"constant"`, `"exponential"`: after each epoch the rate is
            multiplied by `decay` (adaptive STFT, section 0.4.1), or `"staged"`: each time that `patience` runs out,
            training goes on from the best epoch so far with a fresh optimizer and the rate times `stage_factor`, until
            the last of `stages` has run out (Kim, Lee & Nam 2019, section 5.2), or `"milestones"`: after each epoch of
            `milestones` the rate is multiplied by `milestone_factor` (GAFX, section 4).
        decay: of `"exponential"`, from one epoch to the next.
        stages: of `"staged"`, how many rates there are.
        stage_factor: of `"staged"`, from one rate to the next.
        milestones: of `"milestones"`, numbers of epochs done, rising.
        milestone_factor: of `"milestones"`.
        warmup_epochs: epochs over which the rate rises from zero.
        warmup_steps: the same in steps, instead.
        label_smoothing: share of each label spread over all, single-label only.
        clip_norm: bound on the global norm of the gradient; None for no bound.
        keep: `"best"`, the weights of the epoch that `monitor` finds best, or `"last"`, as papers have it that select
            nothing; only then there may be no validation clips.
        monitor: metric on the validation clips that decides which epoch is best.
        patience: epochs without a better `monitor` before training stops; None never stops early.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        mixup: mixing of waveforms and labels; None for none.
        copies: of each training clip; None for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)
    sampling: Literal["crops", "windows", "jittered"] = "crops"
    crops_per_clip: int = Field(default=1, ge=1)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    beta_2: float = Field(default=0.999, gt=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["cosine", "constant", "exponential", "staged", "milestones"] = "cosine"
    decay: float = Field(default=0.99, gt=0, le=1)
    stages: int = Field(default=5, ge=1)
    stage_factor: float = Field(default=0.2, gt=0, lt=1)
    milestones: tuple[int, ...] = ()
    milestone_factor: float = Field(default=0.5, gt=0, lt=1)
    warmup_epochs: float = Field(default=0.0, ge=0)
    warmup_steps: int = Field(default=0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=None, gt=0)
    keep: Literal["best", "last"] = "best"
    monitor: Literal["val_loss", "val_accuracy", "val_auc"] = "val_loss"
    patience: int | None = Field(default=None, ge=1)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    mixup: MixupSettings | None = None
    copies: CopySettings | None = None

    @model_validator(mode="after")
    def _schedule_is_whole(self) -> Self:
        warms = bool(self.warmup_epochs or self.warmup_steps)
        if self.warmup_epochs and self.warmup_steps:
            raise ValueError("a warm-up is given as `warmup_epochs` or as `warmup_steps`")
        if self.schedule == "staged" and (self.patience is None or warms):
            raise ValueError("`schedule` = 'staged' needs `patience`, and no warm-up")
        if self.schedule == "exponential" and warms:
            raise ValueError("`schedule` = 'exponential' takes no warm-up")
        rising = list(self.milestones) == sorted(set(self.milestones)) and min(self.milestones, default=1) >= 1
        if not rising or (self.schedule == "milestones") != bool(self.milestones):
            raise ValueError("`schedule` = 'milestones', and no other, takes `milestones`: numbers from 1, rising")
        if self.keep == "last" and self.patience is not None:
            raise ValueError("`keep` = 'last' takes no `patience`")
        return self


class Milestones(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises from zero in a line, and is multiplied by a factor from each of some steps on.

    Args:
        rate: the highest.
        steps: at which it falls.
        factor: by which it is multiplied there.
        warmup: steps over which it rises.
    """

    def __init__(self, rate: float, steps: Sequence[int], *, factor: float, warmup: int):
        self.rate = rate
        self.steps = tuple(steps)
        self.factor = factor
        self.warmup = warmup

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rate = self.rate * ops.minimum(1.0, step / self.warmup) if self.warmup else self.rate
        # Summed up one by one: a list of no steps has no sum on every backend.
        passed = sum((ops.cast(step >= at, "float32") for at in self.steps), start=ops.zeros(()))
        return rate * ops.power(self.factor, passed)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "steps": self.steps, "factor": self.factor, "warmup": self.warmup}


def build_optimizer(
    settings: TrainingSettings, steps_per_epoch: int, *, undecayed: Sequence[keras.Variable] = ()
) -> SkippingOptimizer:
    """The optimizer with its schedule, whose length is the run's number of steps; it skips what is not finite.

    Args:
        settings: of the training.
        steps_per_epoch: batches in an epoch.
        undecayed: variables that weight decay leaves alone, beside biases and normalization. Defaults to none.
    """
    # Keras' schedules count steps, whether or not each makes an update.
    rate = _rate(settings, steps_per_epoch)
    options: dict[str, Any] = {"global_clipnorm": settings.clip_norm}
    if settings.accumulate > 1:
        options["gradient_accumulation_steps"] = settings.accumulate
    decays = settings.weight_decay and settings.optimizer != "adam"
    if settings.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay or None, **options
        )
    elif settings.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, beta_2=settings.beta_2, **options)
    else:
        optimizer = keras.optimizers.AdamW(rate, beta_2=settings.beta_2, weight_decay=settings.weight_decay, **options)
    if decays:
        optimizer.exclude_from_weight_decay(var_list=list(undecayed), var_names=["bias", "gamma", "beta"])
    return SkippingOptimizer(optimizer, scale=settings.precision == "mixed_float16")


def _rate(settings: TrainingSettings, steps_per_epoch: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate, or its schedule."""
    schedules = keras.optimizers.schedules
    highest = settings.learning_rate
    warmup = settings.warmup_steps or round(settings.warmup_epochs * steps_per_epoch)
    if settings.schedule == "milestones":
        steps = [epoch * steps_per_epoch for epoch in settings.milestones]
        return Milestones(highest, steps, factor=settings.milestone_factor, warmup=warmup)
    if settings.schedule == "cosine":
        return schedules.CosineDecay(
            0.0 if warmup else highest,
            decay_steps=max(1, settings.epochs * steps_per_epoch - warmup),
            warmup_target=highest if warmup else None,
            warmup_steps=warmup,
        )
    if settings.schedule == "exponential":
        return schedules.ExponentialDecay(
            highest, decay_steps=steps_per_epoch, decay_rate=settings.decay, staircase=True
        )
    if warmup:
        return schedules.PolynomialDecay(0.0, warmup, end_learning_rate=highest)
    return highest
