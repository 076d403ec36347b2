"""Rumelhart, Hinton and Williams' XOR network (1986): two inputs, two hidden units, one output, by gradient descent.

    python examples/xor.py              # twenty seeds
    python examples/xor.py --quick      # four seeds

Enters: the four rows of the truth table.  Leaves: for each seed, after how many rounds all four rows are right.

Two hidden units are just enough, so a descent can end in a local minimum: how many of the seeds succeed is printed as
it is.
"""

from __future__ import annotations

import argparse

import numpy as np
from tqdm.auto import tqdm

from s2s_ad import adjoint

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([0.0, 1.0, 1.0, 0.0])
MOST_ROUNDS = 1000
TOLERANCE = 0.1  # a row is learnt when the output is this close to its target


def logistic(a):
    return 1.0 / (1.0 + np.exp(-a))


def network(params, x):
    W, b, w, c = params
    hidden = logistic(x @ W + b)
    return logistic(hidden @ w + c)


@adjoint
def loss(params, x, t):
    y = network(params, x)
    return 0.5 * np.sum((y - t) ** 2)


def learn(seed: int, rate: float, momentum: float) -> tuple[int | None, list[np.ndarray]]:
    """Rounds until all four rows were right (None: not within MOST_ROUNDS), and the weights reached."""
    rng = np.random.default_rng(seed)
    params = [rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2), rng.normal(size=())]
    velocity = [np.zeros_like(p) for p in params]
    for rounds in range(1, MOST_ROUNDS):
        params_bar = loss.grad(params, X, T)
        velocity = [momentum * v - rate * p_bar for v, p_bar in zip(velocity, params_bar, strict=True)]
        params = [p + v for p, v in zip(params, velocity, strict=True)]
        if np.all(np.abs(network(params, X) - T) < TOLERANCE):
            return rounds, params
    return None, params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--quick", action="store_true", help="four seeds only")
    options = parser.parse_args()

    seeds = range(4 if options.quick else options.seeds)
    results = [learn(seed, options.rate, options.momentum) for seed in tqdm(seeds, desc="XOR", unit="seed")]
    for seed, (rounds, params) in zip(seeds, results, strict=True):
        outputs = " ".join(f"{y:.3f}" for y in network(params, X))
        print(f"seed {seed:2d}: {f'learnt after {rounds} rounds' if rounds else 'not learnt':24s} outputs {outputs}")
    learnt = [rounds for rounds, _ in results if rounds]
    print(f"{len(learnt)} of {len(seeds)} seeds learnt XOR in under {MOST_ROUNDS} rounds", end="")
    print(f", the median of them in {int(np.median(learnt))}" if learnt else "")


if __name__ == "__main__":
    main()
