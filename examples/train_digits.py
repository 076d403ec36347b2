"""Train a network on scikit-learn's handwritten digits with the gradient that s2s_ad compiles.

    python examples/train_digits.py                  # Adam, about 15 seconds at most on one core
    python examples/train_digits.py --optimizer sgd
    python examples/train_digits.py --quick          # a few epochs, to see that everything runs

Enters: the 1,797 real 8x8 images bundled with scikit-learn.
Leaves: the adjoint that ran, the test accuracy, and two pictures in examples/out/.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

# The matrices are small: a second BLAS thread costs more than it brings. This must be said before NumPy is loaded.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import matplotlib  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from tqdm.auto import tqdm  # noqa: E402

from s2s_ad import adjoint  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

Params = list[tuple[np.ndarray, np.ndarray]]
SIZES = [64, 128, 64, 10]
BATCH = 64
NOISE = 0.2  # standard deviation on pixels in [0, 1]


def network(params, x):
    h = x
    for W, b in params[:-1]:
        h = np.tanh(h @ W + b)  # one hidden layer
    W, b = params[-1]
    return h @ W + b


@adjoint
def loss(params, x, t):
    """Cross-entropy of the network's logits against one-hot targets t."""
    logits = network(params, x)
    top = logits.max(axis=1, keepdims=True)  # so that exp cannot overflow
    log_z = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return np.mean(np.sum(t * (log_z - logits), axis=1))


def initial_params(rng: np.random.Generator, sizes: list[int]) -> Params:
    return [(rng.normal(size=(m, n)) / np.sqrt(m), np.zeros(n)) for m, n in pairwise(sizes)]


class SGD:
    """Stochastic gradient descent with momentum."""

    def __init__(self, params: Params, rate: float = 0.1, momentum: float = 0.9) -> None:
        self.rate, self.momentum = rate, momentum
        self.velocity = [np.zeros_like(p) for layer in params for p in layer]

    def step(self, params: Params, params_bar: Params) -> None:
        """Change `params` in place."""
        for v, p, p_bar in zip(self.velocity, *leaves(params, params_bar), strict=True):
            v *= self.momentum
            v -= self.rate * p_bar
            p += v


class Adam:
    """Adam (Kingma & Ba 2015), with their constants."""

    def __init__(self, params: Params, rate: float = 2e-3, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.rate, self.beta1, self.beta2, self.count = rate, beta1, beta2, 0
        self.mean = [np.zeros_like(p) for layer in params for p in layer]
        self.square = [np.zeros_like(p) for layer in params for p in layer]

    def step(self, params: Params, params_bar: Params) -> None:
        """Change `params` in place."""
        self.count += 1
        rate = self.rate * np.sqrt(1 - self.beta2**self.count) / (1 - self.beta1**self.count)
        for m, s, p, p_bar in zip(self.mean, self.square, *leaves(params, params_bar), strict=True):
            m += (1 - self.beta1) * (p_bar - m)
            s += (1 - self.beta2) * (p_bar * p_bar - s)
            p -= rate * m / (np.sqrt(s) + 1e-8)


def leaves(*trees: Params) -> list[list[np.ndarray]]:
    return [[p for layer in tree for p in layer] for tree in trees]


def batches(x: np.ndarray, t: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The images in random order, with noise on their pixels so that the network cannot learn them by heart."""
    order = rng.permutation(len(x))
    for start in range(0, len(x), BATCH):
        chosen = order[start : start + BATCH]
        yield x[chosen] + rng.normal(scale=NOISE, size=(len(chosen), x.shape[1])), t[chosen]


def train(
    params: Params, optimizer: SGD | Adam, x: np.ndarray, t: np.ndarray, epochs: int, rng: np.random.Generator
) -> list[float]:
    """Train in place; return the mean loss of each epoch."""
    curve = []
    with tqdm(range(epochs), desc="training", unit="epoch") as progress:
        for _ in progress:
            losses = []
            for x_batch, t_batch in batches(x, t, rng):
                value, params_bar = loss.value_and_grad(params, x_batch, t_batch)
                optimizer.step(params, params_bar)
                losses.append(value)
            curve.append(float(np.mean(losses)))
            progress.set_postfix(loss=f"{curve[-1]:.4f}")
    return curve


def plot_curve(curve: list[float], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.semilogy(range(1, len(curve) + 1), curve)
    axes.set(xlabel="epoch", ylabel="training loss (cross-entropy)", title="Digits")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_misread(images: np.ndarray, labels: np.ndarray, read: np.ndarray, path: Path, most: int = 12) -> None:
    wrong = np.flatnonzero(labels != read)[:most]
    columns = 6
    rows = max(1, -(-len(wrong) // columns))
    figure, grid = plt.subplots(rows, columns, figsize=(1.4 * columns, 1.8 * rows), layout="constrained", squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, i in zip(grid.flat, wrong, strict=False):
        axes.imshow(images[i].reshape(8, 8), cmap="gray_r")
        axes.set_title(f"{labels[i]} read as {read[i]}", fontsize=9)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optimizer", choices=("adam", "sgd"), default="adam")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights and the batches")
    parser.add_argument("--quick", action="store_true", help="five epochs only")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder for the pictures")
    options = parser.parse_args()

    digits = load_digits()
    x = digits.data / 16.0
    x_train, x_test, y_train, y_test = train_test_split(
        x, digits.target, test_size=0.2, random_state=options.seed, stratify=digits.target
    )
    t_train = np.eye(10)[y_train]
    print(f"{len(x_train)} images to learn from, {len(x_test)} held back for the test")

    rng = np.random.default_rng(options.seed)
    params = initial_params(rng, SIZES)
    print("\nThe adjoint that runs:\n")
    print(loss.source(params, x_train[:BATCH], t_train[:BATCH]))

    start = time.perf_counter()
    optimizer = SGD(params) if options.optimizer == "sgd" else Adam(params)
    curve = train(params, optimizer, x_train, t_train, 5 if options.quick else options.epochs, rng)
    seconds = time.perf_counter() - start

    read = network(params, x_test).argmax(axis=1)
    accuracy = float(np.mean(read == y_test))
    options.out.mkdir(parents=True, exist_ok=True)
    plot_curve(curve, options.out / "digits_loss.png")
    plot_misread(x_test, y_test, read, options.out / "digits_misread.png")
    misread = int(np.sum(read != y_test))
    print(f"\ntest accuracy {accuracy:.2%} ({misread} of {len(y_test)} misread) after {seconds:.1f} s of training")
    print(f"pictures: {options.out / 'digits_loss.png'}, {options.out / 'digits_misread.png'}")


if __name__ == "__main__":
    main()
