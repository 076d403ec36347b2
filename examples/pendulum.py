"""Find a pendulum's damping and length from noisy measurements, by the gradient of a simulation that writes in place.

    python examples/pendulum.py
    python examples/pendulum.py --quick     # fewer time steps

Enters: 1,500 measured angles (simulated here with known constants, plus noise).
Leaves: the constants found beside the true ones, the adjoint that ran, and a picture in examples/out/.

The time loop fills two history arrays, one element a step, and the adjoint runs the same loop backwards over them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from scipy.optimize import minimize
from tqdm.auto import tqdm

from s2s_ad import adjoint

matplotlib.use("Agg")
import matplotlib.pyplot as plt

GRAVITY = 9.81
DT = 0.01
TRUE = np.array([0.25, 1.3, 2.1])  # damping in 1/s, length in m, first angle in rad
GUESS = np.array([0.60, 1.0, 1.8])
NOISE = 0.05  # rad


def swing(constants, steps):
    """Angles of a damped pendulum let go at rest, by symplectic Euler steps."""
    damping, length, first = constants
    angle = np.zeros(steps)
    velocity = np.zeros(steps)
    angle[0] = first
    for i in range(1, steps):
        torque = -GRAVITY / length * np.sin(angle[i - 1])
        velocity[i] = velocity[i - 1] + DT * (torque - damping * velocity[i - 1])
        angle[i] = angle[i - 1] + DT * velocity[i]
    return angle


@adjoint
def misfit(constants, measured):
    angle = swing(constants, measured.shape[0])
    return np.mean((angle - measured) ** 2)


def fit(measured: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """The constants with the least misfit, and the misfit at every evaluation."""
    history: list[float] = []
    with tqdm(desc="fitting", unit="gradient") as progress:

        def value_and_grad(constants: np.ndarray) -> tuple[float, np.ndarray]:
            value, constants_bar = misfit.value_and_grad(constants, measured)
            history.append(float(value))
            progress.update()
            progress.set_postfix(misfit=f"{value:.5f}")
            return float(value), constants_bar

        # Over many swings the misfit has many valleys: follow the first swings first, then more, then all.
        found, whole = GUESS, measured
        for part in (len(whole) // 5, len(whole) // 2, len(whole)):
            measured = whole[:part]
            found = minimize(value_and_grad, found, jac=True, method="BFGS").x
    return found, history


def plot(measured: np.ndarray, found: np.ndarray, path: Path) -> None:
    time = DT * np.arange(len(measured))
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    axes.plot(time, measured, ".", markersize=2, color="0.6", label="measured")
    axes.plot(time, swing(GUESS, len(measured)), "--", color="tab:orange", label="first guess")
    axes.plot(time, swing(found, len(measured)), color="tab:blue", label="fitted")
    axes.set(xlabel="time in s", ylabel="angle in rad")
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--quick", action="store_true", help="300 time steps only")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder for the picture")
    options = parser.parse_args()

    steps = 300 if options.quick else options.steps
    measured = swing(TRUE, steps) + np.random.default_rng(0).normal(scale=NOISE, size=steps)
    print(misfit.source(GUESS, measured))
    found, history = fit(measured)

    options.out.mkdir(parents=True, exist_ok=True)
    plot(measured, found, options.out / "pendulum.png")
    print(f"\n{'':12s}{'guess':>10s}{'found':>10s}{'true':>10s}")
    for name, *numbers in zip(("damping", "length", "first angle"), GUESS, found, TRUE, strict=True):
        print(f"{name:12s}" + "".join(f"{number:10.4f}" for number in numbers))
    print(f"{len(history)} gradients; root mean square misfit {np.sqrt(history[-1]):.4f} rad, noise {NOISE} rad")
    print(f"picture: {options.out / 'pendulum.png'}")


if __name__ == "__main__":
    main()
