"""Functions that say their own gradient, where the backends would derive a slow one."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import keras
from keras import ops


def own_gradient(function: Callable[..., tuple[Any, Callable[[Any], Any]]]) -> Callable[..., Any]:
    """`keras.ops.custom_gradient`, the same for every backend.

    Keras hands slopes over in two ways, and TensorFlow wants gradients for whatever variables a function reads; so
    variables become tensors before.

    Args:
        function: of tensors; gives its result, and a function from the result's slopes to those of its argument, or to
            a tuple of those of its arguments.

    Returns:
        A function of tensors or variables that gives the result. It can be differentiated once.
    """

    @ops.custom_gradient
    def with_gradient(*arguments):
        result, gradient = function(*arguments)

        def told(*known, upstream=None):
            return gradient(known[0] if upstream is None else upstream)

        return result, told

    @wraps(function)
    def call(*arguments):
        return with_gradient(
            *(ops.reshape(one, one.shape) if isinstance(one, keras.Variable) else one for one in arguments)
        )

    return call
