"""The output layer of a classifier, which carries the model's description."""

import keras
from keras import ops
from pydantic import ValidationError

from keraudio.description import Description, first_error


@keras.saving.register_keras_serializable(package="keraudio")
class LabelProbabilities(keras.layers.Layer):
    """Turns logits into probabilities, one a label, and carries the model's `Description` in its config.

    The description is where Keras keeps what a layer is made of, so it survives saving, loading and saving again, also
    as part of another model. Softmax or sigmoid of `logits / temperature`, in float32 whatever the dtype policy.

    Args:
        description: `keraudio.Description`, or a dict of its fields.

    Raises:
        ValueError: the description breaks its schema, or the input has another number of logits than labels.

    Input shape:
        `(batch, labels)`.

    Output shape:
        `(batch, labels)`, float32, in [0, 1].

    Example:
        >>> import numpy as np
        >>> layer = LabelProbabilities({"labels": ["a", "b"], "sample_rate": 8000, "window": 8000, "hop": 4000})
        >>> layer(np.zeros((1, 2))).shape
        (1, 2)
    """

    def __init__(self, description: Description | dict, **kwargs):
        super().__init__(autocast=False, **kwargs)
        try:
            self.description = Description.model_validate(description)
        except ValidationError as error:
            raise ValueError(first_error(error)) from None

    def build(self, input_shape):
        if input_shape[-1] != len(self.description.labels):
            raise ValueError(
                "The model must have one output a label. "
                f"Received: {input_shape[-1]} outputs for {len(self.description.labels)} labels"
            )

    def call(self, inputs):
        logits = ops.cast(inputs, "float32") / self.description.temperature
        return ops.sigmoid(logits) if self.description.multi_label else ops.softmax(logits, axis=-1)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype="float32")

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "description": self.description.model_dump(mode="json")}
