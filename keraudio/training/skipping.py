"""Steps that are not finite are skipped: an optimizer that passes them over and counts them, and a mean without them.

Nothing here overrides a backend's training step, so it works alike on all three.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops


class SkippingOptimizer(keras.optimizers.LossScaleOptimizer):
    """Passes a step on to another optimizer only where its loss and all its gradients are finite.

    Else weights, moments, accumulated gradients and the place in the schedule stay as they are, and `skipped` is one
    more. With `scale` the loss is scaled as float16 needs it: a scale that is too high is halved and its step left out,
    too, which does not count while the scale is above 1.

    Args:
        inner_optimizer: the one that takes the steps.
        scale: scale the loss. Defaults to False.
        name: of the optimizer. Defaults to None.
    """

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer, *, scale: bool = False, name: str | None = None):
        super().__init__(inner_optimizer, initial_scale=2.0**15 if scale else 1.0, name=name)
        self.scale = scale

    def build(self, var_list: list[keras.Variable]) -> None:
        self.skipped = self.add_variable(shape=(), dtype="int", initializer="zeros", name="skipped")
        super().build(var_list)

    def scale_loss(self, loss: Any) -> Any:
        # Times NaN, a loss that is not finite makes its gradients so where they would have been finite.
        factor = ops.where(ops.isfinite(loss), 1.0, np.nan)
        return super().scale_loss(loss) * ops.cast(factor, loss.dtype)

    def _stateful_handle_finite_grads(self, grads: Any, trainable_variables: Any) -> None:
        if self.scale:
            grads = [None if gradient is None else gradient / self.dynamic_scale for gradient in grads]
        self.inner_optimizer.apply(grads, trainable_variables=trainable_variables)
        if self.scale:
            # Chosen, not branched: assigning within a branch would leave JAX with a value of that branch.
            grown = self.step_counter >= self.dynamic_growth_steps - 1
            self.dynamic_scale.assign(self.dynamic_scale * ops.where(grown, 2.0, 1.0))
            self.step_counter.assign(ops.where(grown, 0, self.step_counter + 1))

    def _stateful_handle_non_finite_grads(self) -> None:
        self.skipped.assign_add(ops.cast(self.dynamic_scale <= 1.0, self.skipped.dtype))
        if self.scale:
            super()._stateful_handle_non_finite_grads()

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        mapping = [
            *zip(self._trainable_variables, trainable_variables, strict=True),
            *zip(self.variables, optimizer_variables, strict=True),
        ]

        def after(step: Any) -> Any:
            with keras.StatelessScope(state_mapping=mapping) as scope:
                step()
            return tuple([scope.get_current_value(v) for v in of] for of in (self._trainable_variables, self.variables))

        return ops.cond(
            self.check_finite(grads),
            lambda: after(lambda: self._stateful_handle_finite_grads(grads, None)),
            lambda: after(self._stateful_handle_non_finite_grads),
        )


class FiniteMean(keras.metrics.Mean):
    """A mean that may leave out what is not finite; NaN where nothing else came."""

    skips = False

    @contextmanager
    def skipping(self) -> Iterator[None]:
        """While it is open, what is not finite is left out."""
        self.skips = True
        try:
            yield
        finally:
            self.skips = False

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        if self.skips:
            finite = ops.isfinite(values)
            weight = ops.cast(1.0 if sample_weight is None else sample_weight, "float32")
            values, sample_weight = ops.where(finite, values, 0.0), weight * ops.cast(finite, "float32")
        super().update_state(values, sample_weight)

    def result(self) -> Any:
        return ops.where(self.count > 0, super().result(), np.nan)


class SkippingModel(keras.Model):
    """A model whose training loss is the mean of its finite steps; of validation, no step is left out.

    Base of models that are no functional ones: Keras would change the class where one is made of it.
    """

    def compile(self, *arguments: Any, **options: Any) -> None:
        super().compile(*arguments, **options)
        # Keras has no public place for another mean of the loss.
        self._loss_tracker = FiniteMean(name="loss")

    # What a step takes depends on the backend.
    def train_step(self, *arguments: Any) -> Any:
        with self._loss_tracker.skipping():
            return super().train_step(*arguments)


def call_keeping_statistics(
    model: keras.Model, inputs: Any, *, layers: list[keras.layers.Layer], training: bool
) -> Any:
    """`model(inputs)`, in training without what `layers` gather from it, their statistics, where it is not finite.

    A mean of batch normalization that became NaN once would stay so for ever.
    """
    if not training:
        return model(inputs, training=False)
    statistics = [
        variable
        for layer in layers
        # Frozen layers gather none.
        for variable in (layer.non_trainable_variables if layer.trainable else ())
        if keras.backend.is_float_dtype(variable.dtype)
    ]
    before = [ops.copy(ops.convert_to_tensor(variable)) for variable in statistics]
    outputs = model(inputs, training=True)
    after = [ops.convert_to_tensor(variable) for variable in statistics]
    # Both: TensorFlow's rectifier turns NaN into 0.
    finite = ops.all(ops.stack([ops.all(ops.isfinite(value)) for value in (outputs, *after)]))
    for variable, value, old in zip(statistics, after, before, strict=True):
        variable.assign(ops.where(finite, value, old))
    return outputs
