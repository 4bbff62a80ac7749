"""What a recipe may say, checked key by key."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from keraudio.backbones import BACKBONES
from keraudio.description import first_error
from keraudio.errors import RecipeError
from keraudio.frontends import FRONT_ENDS
from keraudio.layers import RandomDelay, RandomGain, RandomNoise, RandomPolarity, RandomShift, SpecAugment
from keraudio.nearest import did_you_mean
from keraudio.training import TrainingSettings

# In the order in which a waveform passes them; the first three as in adaptive STFT's training.
WAVEFORM_AUGMENTATIONS: dict[str, Callable[..., Any]] = {
    "noise": RandomNoise,
    "gain": RandomGain,
    "delay": RandomDelay,
    "polarity": RandomPolarity,
    "shift": RandomShift,
}
FEATURE_AUGMENTATIONS: dict[str, Callable[..., Any]] = {"spec_augment": SpecAugment}
AUGMENTATIONS = WAVEFORM_AUGMENTATIONS | FEATURE_AUGMENTATIONS

# What the recipe's other sections decide, or Keras alone.
_NOT_OPTIONS = {"self", "sample_rate", "samples", "input_shape", "name", "seed", "kwargs", "dtype", "trainable"}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSettings(_Section):
    """How clips are split.

    Attributes:
        split: `"given"` (the data set's own), `"folds"`, or `"random"` (stratified, groups kept whole).
        train_folds: with `"folds"`.
        valid_folds: with `"folds"`.
        test_folds: with `"folds"`.
        fractions: train, valid, test, with `"random"`.
        options: of the data set's kind, such as `subset = "esc10"`.
    """

    split: Literal["given", "folds", "random"] = "given"
    train_folds: tuple[int, ...] = ()
    valid_folds: tuple[int, ...] = ()
    test_folds: tuple[int, ...] = ()
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    options: dict[str, Any] = {}


class AudioSettings(_Section):
    """What stretch of sound the model sees.

    Attributes:
        sample_rate: in Hz.
        window: seconds that the model sees at once.
        hop: seconds between successive windows of a clip, when it is evaluated. Defaults to half of `window`.
        silence: decibels at which a window is silent: it does not vote, nor is it trained on unless `sampling =
            "crops"` (`keraudio.audio.audible_windows`). None: every window counts.
    """

    sample_rate: int = Field(default=22050, ge=1000, le=192000)
    window: float = Field(default=5.0, gt=0)
    hop: float | None = Field(default=None, gt=0)
    silence: float | None = None

    @property
    def window_samples(self) -> int:
        return max(1, round(self.window * self.sample_rate))

    @property
    def hop_samples(self) -> int:
        hop = self.window / 2 if self.hop is None else self.hop
        return max(1, round(hop * self.sample_rate))


class PartSettings(BaseModel):
    """A front end or backbone by name, with its builder's options beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class FrontEndSettings(PartSettings):
    """A front end, and where its training begins.

    Attributes:
        name: of the front end.
        start: a file of `keraudio pretrain` whose weights it begins with; None, random ones.
        frozen: it keeps its weights.
    """

    start: str | None = None
    frozen: bool = False


class HeadSettings(_Section):
    """Between the embedding and the labels.

    Attributes:
        dropout: rate before the dense layer.
    """

    dropout: float = Field(default=0.0, ge=0, lt=1)


class EvaluationSettings(_Section):
    """How a clip's windows become its answer.

    Attributes:
        aggregate: `"mean"`, `"majority"` or `"max"`.
    """

    aggregate: Literal["mean", "majority", "max"] = "mean"


class SearchParameter(_Section):
    """One of the values that a search proposes: from a range, from a list, or from named sets of changes.

    Attributes:
        key: that gets the value, such as `"training.learning_rate"`.
        low: least value of a range; whole numbers where both ends are.
        high: greatest value.
        log: the range is even in the logarithm.
        choices: the values of a list.
        sets: changes `"section.key=value"` by a name for them, instead of a key.
    """

    key: str | None = None
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[bool | int | float | str, ...] = ()
    sets: dict[str, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.low is not None and self.high is not None, bool(self.choices), bool(self.sets)]
        if kinds.count(True) != 1 or (self.low is None) != (self.high is None) or (self.key is None) != kinds[2]:
            raise ValueError("takes `key` with `low` and `high`, `key` with `choices`, or `sets`")
        if self.low is not None and self.high is not None:
            if self.low >= self.high or (self.log and self.low <= 0):
                raise ValueError("`low` must be below `high`, and above 0 with `log`")
        elif self.log:
            raise ValueError("`log` is of a range")
        return self


class SearchSettings(_Section):
    """What `keraudio search` tries.

    Attributes:
        trials: how many.
        value: of the monitored metric over a trial's epochs, the `"last"` or the `"best"` counts.
        startup_trials: drawn at random, and never pruned.
        warmup_epochs: of each trial in which it is not pruned.
        parameters: by name.
    """

    trials: int = Field(default=100, ge=1)
    value: Literal["last", "best"] = "last"
    startup_trials: int = Field(default=5, ge=0)
    warmup_epochs: int = Field(default=0, ge=0)
    parameters: dict[str, SearchParameter] = Field(min_length=1)


class Recipe(_Section):
    """An experiment: data, model, training and votes.

    Attributes:
        schema_version: of this format; written `schema` in TOML.
        name: of the experiment.
        summary: one line for people.
        data: how clips are split.
        audio: sample rate and window.
        start: a run folder, or a model file, whose weights the training begins with; None, random ones.
        front_end: `name`, `start`, `frozen`, and options of one of `keraudio.frontends.FRONT_ENDS`.
        backbone: `name` and options of one of `keraudio.backbones.BACKBONES`.
        head: between embedding and labels.
        augmentation: `noise`, `gain`, `delay`, `polarity`, `shift`, `spec_augment`, each with its layer's options.
        training: see `keraudio.training.TrainingSettings`.
        evaluation: how windows vote.
        search: what `keraudio search` tries; None: nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    name: str
    summary: str = ""
    start: str | None = None
    data: DataSettings = DataSettings()
    audio: AudioSettings = AudioSettings()
    front_end: FrontEndSettings
    backbone: PartSettings
    head: HeadSettings = HeadSettings()
    augmentation: dict[str, dict[str, Any]] = {}
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    search: SearchSettings | None = None

    @model_validator(mode="after")
    def _known_parts(self) -> Self:
        _check_part("front_end", self.front_end, FRONT_ENDS)
        _check_part("backbone", self.backbone, BACKBONES)
        for name, options in self.augmentation.items():
            if name not in AUGMENTATIONS:
                raise ValueError(_unknown(f"augmentation.{name}", name, AUGMENTATIONS))
            _check_options(f"augmentation.{name}", options, AUGMENTATIONS[name])
        if self.search is not None and self.training.keep == "last":
            raise ValueError("with `search`, `training.keep` must be 'best': trials are compared by `monitor`")
        return self


class PretrainingRecipe(_Section):
    """An experiment that teaches a front end another's output, without labels (Tax et al. 2017, section 2.2).

    Attributes:
        schema_version: of this format; written `schema` in TOML.
        name: of the experiment.
        summary: one line for people.
        data: how clips are split.
        audio: sample rate and window; silent windows are not learned from.
        front_end: the one that learns.
        target: the one that it learns from.
        target_range: what the least and greatest value that it has over the training clips become.
        training: see `keraudio.training.TrainingSettings`; without labels there is nothing to mix or smooth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    name: str
    summary: str = ""
    data: DataSettings = DataSettings()
    audio: AudioSettings = AudioSettings()
    front_end: FrontEndSettings
    target: PartSettings
    target_range: tuple[float, float] = (-1.0, 1.0)
    training: TrainingSettings = TrainingSettings()

    @model_validator(mode="after")
    def _known_parts(self) -> Self:
        _check_part("front_end", self.front_end, FRONT_ENDS)
        _check_part("target", self.target, FRONT_ENDS)
        if self.target_range[0] >= self.target_range[1]:
            raise ValueError(f"`target_range` must be two numbers that rise. Received: {list(self.target_range)}")
        training = self.training
        if training.mixup is not None or training.label_smoothing or training.monitor != "val_loss":
            raise ValueError("without labels `training` takes no `mixup`, no `label_smoothing`, no other `monitor`")
        if training.keep == "last":
            raise ValueError("without labels `training.keep` must be 'best'")
        return self


AnyRecipe = TypeVar("AnyRecipe", Recipe, PretrainingRecipe)


def check_recipe(data: Mapping[str, Any], *, source: str, schema: type[AnyRecipe] = Recipe) -> AnyRecipe:  # type: ignore[assignment]
    """A recipe from what its TOML holds.

    Args:
        data: the parsed TOML.
        source: what to call it in messages: a file or a name.
        schema: `Recipe` or `PretrainingRecipe`. Defaults to `Recipe`.

    Raises:
        RecipeError: a key is unknown (the nearest valid one is named), or a value breaks its rule.
    """
    try:
        return schema.model_validate(dict(data))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            valid = _fields_at(schema, problem["loc"][:-1])
            message = f"unknown key `{key}`. {did_you_mean(str(problem['loc'][-1]), valid)}"
        elif problem["type"] == "missing":
            message = f"`{key}` is required"
        else:
            message = first_error(error)
        raise RecipeError(f"{source}: {message}") from None


def _check_part(section: str, part: PartSettings, known: Mapping[str, Callable[..., Any]]) -> None:
    if part.name not in known:
        raise ValueError(_unknown(f"{section}.name", part.name, known))
    _check_options(section, part.options, known[part.name])


def _check_options(section: str, options: Mapping[str, Any], builder: Callable[..., Any]) -> None:
    valid = builder_options(builder)
    for name in options:
        if name not in valid:
            raise ValueError(f"unknown key `{section}.{name}`. {did_you_mean(name, valid)}")


def builder_options(builder: Callable[..., Any]) -> dict[str, Any]:
    """Options of a builder or layer that a recipe may set, with their defaults."""
    owners = builder.__mro__ if isinstance(builder, type) else [builder]
    options: dict[str, Any] = {}
    for owner in owners:
        if isinstance(owner, type) and not owner.__module__.startswith("keraudio."):
            continue
        for name, parameter in inspect.signature(owner).parameters.items():
            if name not in _NOT_OPTIONS and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                options.setdefault(name, parameter.default)
    return options


def _unknown(key: str, name: str, valid: Mapping[str, Any]) -> str:
    return f"`{key}` must be one of {', '.join(valid)}. Received: {name!r}. {did_you_mean(name, valid)}"


def _fields_at(schema: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    model: Any = schema
    for part in location:
        model = model.model_fields[str(part)].annotation
        # `MixupSettings | None`: the settings are what has fields.
        model = next((arg for arg in getattr(model, "__args__", ()) if hasattr(arg, "model_fields")), model)
    return [field.alias or name for name, field in model.model_fields.items()]
