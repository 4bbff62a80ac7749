"""What a recipe says of training."""

from collections.abc import Sequence
from typing import Literal, Self

import keras
from pydantic import BaseModel, ConfigDict, Field, model_validator


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
        count: copies of each clip, beside the clip itself.
        delay: most seconds of silence before a copy.
        stretch: least and greatest tempo; None, its own.
        pitch: least and greatest shift in semitones; None, none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    count: int = Field(ge=1, le=100)
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
        sampling: `"crops"`, at random, or `"windows"`: every window of every clip once an epoch, at the hop of
            evaluation (where that is the window's length, all segments, as Kim, Lee & Nam 2019 take them), or
            `"jittered"`: the same windows, each moved at random by up to half a hop.
        crops_per_clip: of `"crops"`, random crops of each clip in an epoch.
        optimizer: `"adamw"`, `"adam"` or `"sgd"` (Nesterov momentum 0.9).
        learning_rate: its highest value.
        weight_decay: of `"adamw"` and `"sgd"`, decoupled, not applied to biases, normalization and the weights of
            `keraudio.layers`: a window or filter is not simpler for being smaller.
        schedule: `"cosine"` to zero after the warm-up, `"constant"`, `"exponential"`: after each epoch the rate is
            multiplied by `decay` (adaptive STFT, section 0.4.1), or `"staged"`: each time that `patience` runs out,
            training goes on from the best epoch so far with a fresh optimizer and the rate times `stage_factor`, until
            the last of `stages` has run out (Kim, Lee & Nam 2019, section 5.2).
        decay: of `"exponential"`, from one epoch to the next.
        stages: of `"staged"`, how many rates there are.
        stage_factor: of `"staged"`, from one rate to the next.
        warmup_epochs: epochs over which the rate rises from zero.
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
    sampling: Literal["crops", "windows", "jittered"] = "crops"
    crops_per_clip: int = Field(default=1, ge=1)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["cosine", "constant", "exponential", "staged"] = "cosine"
    decay: float = Field(default=0.99, gt=0, le=1)
    stages: int = Field(default=5, ge=1)
    stage_factor: float = Field(default=0.2, gt=0, lt=1)
    warmup_epochs: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=None, gt=0)
    keep: Literal["best", "last"] = "best"
    monitor: Literal["val_loss", "val_accuracy", "val_auc"] = "val_loss"
    patience: int | None = Field(default=None, ge=1)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    mixup: MixupSettings | None = None
    copies: CopySettings | None = None

    @model_validator(mode="after")
    def _stages_end(self) -> Self:
        if self.schedule == "staged" and (self.patience is None or self.warmup_epochs):
            raise ValueError("`schedule` = 'staged' needs `patience`, and no `warmup_epochs`")
        if self.schedule == "exponential" and self.warmup_epochs:
            raise ValueError("`schedule` = 'exponential' takes no `warmup_epochs`")
        if self.keep == "last" and self.patience is not None:
            raise ValueError("`keep` = 'last' takes no `patience`")
        return self


def build_optimizer(
    settings: TrainingSettings, steps_per_epoch: int, *, undecayed: Sequence[keras.Variable] = ()
) -> keras.optimizers.Optimizer:
    """The optimizer with its schedule, whose length is the run's number of steps.

    Args:
        settings: of the training.
        steps_per_epoch: batches in an epoch.
        undecayed: variables that weight decay leaves alone, beside biases and normalization. Defaults to none.
    """
    warmup = round(settings.warmup_epochs * steps_per_epoch)
    steps = settings.epochs * steps_per_epoch
    rate: float | keras.optimizers.schedules.LearningRateSchedule = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else settings.learning_rate,
            decay_steps=max(1, steps - warmup),
            warmup_target=settings.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    elif settings.schedule == "exponential":
        rate = keras.optimizers.schedules.ExponentialDecay(
            settings.learning_rate, decay_steps=steps_per_epoch, decay_rate=settings.decay, staircase=True
        )
    elif warmup:
        rate = keras.optimizers.schedules.PolynomialDecay(0.0, warmup, end_learning_rate=settings.learning_rate)
    options = {"global_clipnorm": settings.clip_norm}
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(rate, **options)
    if settings.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay or None, **options
        )
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, **options)
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=list(undecayed), var_names=["bias", "gamma", "beta"])
    return optimizer
