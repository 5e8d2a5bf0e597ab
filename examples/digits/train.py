"""Train the digits example and write digits.tflite and digits.npz beside this file; with `--small` digits_small.tflite,
a network for boards with 2 KB of RAM, from the same images.

Run by hand, once, in an environment of its own; nothing else in the project needs TensorFlow:

    python3.11 -m venv /tmp/digits-env
    /tmp/digits-env/bin/pip install -r examples/digits/requirements.txt
    /tmp/digits-env/bin/python examples/digits/train.py

With `--validate` it trains on four fifths of split 1 and scores the fifth left out, for each fifth in turn, and writes
nothing: that is how a width or a number of epochs is judged, so that split 0 is looked at only for the final figure.

The data is scikit-learn's `load_digits`: 1797 images of 8 x 8 pixels with values 0..16, ten classes.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Read by TensorFlow when it is imported. oneDNN picks its kernels by processor, and rounding goes with them.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

HERE = Path(__file__).resolve().parent
SEED = 2024
EVALUATE, CALIBRATE = 0, 1
EVALUATE_SHARE = 0.25
FOLDS = 5
EPOCHS = 60
BATCH = 32
SCALE = np.float32(1 / 16)

Array = NDArray[Any]
Builder = Callable[[], Any]


def make_data() -> dict[str, Any]:
    """The data file: `x` uint8 [1797, 8, 8, 1], whose real value is `x * scale`, `y` uint8 and `split` uint8 [1797].

    Split 0 is for evaluation and split 1 for training and calibration; each holds the same share of every digit.
    """
    digits = load_digits()
    order = np.arange(len(digits.target))
    _, evaluate = train_test_split(order, test_size=EVALUATE_SHARE, stratify=digits.target, random_state=SEED)
    split = np.full(len(order), CALIBRATE, np.uint8)
    split[evaluate] = EVALUATE
    return {
        "x": digits.images.astype(np.uint8)[..., np.newaxis],
        "y": digits.target.astype(np.uint8),
        "split": split,
        "scale": SCALE,
        "zero_point": np.int32(0),
    }


def build_network() -> Any:
    """An untrained Keras network, image [n, 8, 8, 1] to ten probabilities [n, 10]."""
    layers = tf.keras.layers
    image = tf.keras.Input((8, 8, 1), name="image")
    stem = conv_norm(layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem"), image)
    stem = layers.ReLU(name="stem_relu")(stem)
    # A separable block around which the stem is carried unchanged: the import has to keep both readers of one tensor.
    x = conv_norm(layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="block_depthwise"), stem)
    x = layers.ReLU(name="block_depthwise_relu")(x)
    x = conv_norm(layers.Conv2D(16, 1, use_bias=False, name="block_pointwise"), x)
    x = layers.Add(name="block_add")([stem, x])
    x = layers.ReLU(name="block_relu")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = conv_norm(layers.Conv2D(32, 3, padding="same", use_bias=False, name="head"), x)
    x = layers.ReLU(name="head_relu")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(10, name="logits")(x)
    return tf.keras.Model(image, layers.Softmax(name="probabilities")(x), name="digits")


def build_small_network() -> Any:
    """The same for 2 KB of RAM: no more than the stem's 768 outputs and the image are alive at once."""
    layers = tf.keras.layers
    image = tf.keras.Input((8, 8, 1), name="image")
    x = conv_norm(layers.Conv2D(12, 3, padding="same", use_bias=False, name="stem"), image)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = conv_norm(layers.Conv2D(24, 3, padding="same", use_bias=False, name="head"), x)
    x = layers.ReLU(name="head_relu")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(10, name="logits")(x)
    return tf.keras.Model(image, layers.Softmax(name="probabilities")(x), name="digits_small")


def conv_norm(conv: Any, x: Any) -> Any:
    """`conv` applied to `x`, then batch normalization, which the converter folds into the weights."""
    return tf.keras.layers.BatchNormalization(name=f"{conv.name}_norm")(conv(x))


def train(build: Builder, x: Array, y: Array) -> Any:
    """What `build` makes after a fixed number of epochs on float images `x` [n, 8, 8, 1] and labels `y` [n]."""
    tf.keras.utils.set_random_seed(SEED)
    network = build()
    steps = EPOCHS * -(-len(x) // BATCH)
    rate = tf.keras.optimizers.schedules.CosineDecay(3e-3, steps)
    network.compile(tf.keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    network.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return network


def to_tflite(network: Any) -> bytes:
    """The network as a float32 .tflite file for one image at a time, every shape static."""

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 1), tf.float32, name="image")])
    def digits(image: Any) -> Any:
        return network(image, training=False)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([digits.get_concrete_function()], network)
    return bytes(converter.convert())


def accuracy(model: bytes, x: Array, y: Array) -> float:
    """Share of images [n, 8, 8, 1] that the .tflite file classifies as `y`, by TensorFlow Lite's reference kernels."""
    interpreter = tf.lite.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    right = 0
    for image, label in zip(x, y, strict=True):
        interpreter.set_tensor(source, image[np.newaxis])
        interpreter.invoke()
        right += int(np.argmax(interpreter.get_tensor(result)) == label)
    return right / len(y)


def validate(build: Builder, x: Array, y: Array) -> list[float]:
    """Accuracy on each fifth of the given training images after training on the other four."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(x, y)
    return [accuracy(to_tflite(train(build, x[kept], y[kept])), x[held], y[held]) for kept, held in folds]


def main() -> None:
    """Train, write both files, print the accuracy on split 0."""
    parser = argparse.ArgumentParser(description="Train the digits example.")
    parser.add_argument("--validate", action="store_true", help="score on held-out training images, write nothing")
    parser.add_argument("--small", action="store_true", help="the network for 2 KB of RAM; the images stay as they are")
    arguments = parser.parse_args()

    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    data = make_data()
    x, y, split = data["x"] * SCALE, data["y"], data["split"]
    learn, judge = split == CALIBRATE, split == EVALUATE
    build, name = (build_small_network, "digits_small") if arguments.small else (build_network, "digits")
    if arguments.validate:
        scores = validate(build, x[learn], y[learn])
        print(f"held-out fifths of split 1: {np.mean(scores):.2%}, from {min(scores):.2%} to {max(scores):.2%}")
        return

    model = to_tflite(train(build, x[learn], y[learn]))
    (HERE / f"{name}.tflite").write_bytes(model)
    if not arguments.small:
        np.savez_compressed(HERE / "digits.npz", **data)
    score = accuracy(model, x[judge], y[judge])
    print(f"{name}.tflite: {len(model)} bytes, {score:.2%} of the {judge.sum()} images of split 0 right")


if __name__ == "__main__":
    main()
