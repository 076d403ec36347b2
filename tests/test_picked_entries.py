"""Views of entries picked by integers or masks: copies, into which a cotangent must not be written."""

from __future__ import annotations

import numpy as np
import pytest

import s2s_ad

INDEX = np.array([2, 0, 2])
MASK = np.array([True, False, True, True])


def column(x):
    return np.sum(x[INDEX][:, None] * np.array([[1.0, 2.0]]))


def transposed(x):
    return np.sum(np.outer(x, x)[INDEX].T @ np.array([1.0, -2.0, 0.5]))


def sliced(x):
    return np.sum(x[INDEX][1:] ** 2)


def masked(x):
    return np.sum(x[MASK][1:] ** 3)


def reshaped(x):
    return np.sum(x[INDEX].reshape(3, 1)[::-1] * np.arange(3.0)[:, None])


@pytest.mark.parametrize("function", [column, transposed, sliced, masked, reshaped])
def test_a_view_of_picked_entries_passes_its_cotangent_on(function) -> None:
    x = np.array([0.3, -1.2, 0.7, 2.1])
    gradient = s2s_ad.grad(function)(x)
    for i in range(len(x)):
        step = np.zeros(4)
        step[i] = 1e-5
        slope = (function(x + step) - function(x - step)) / 2e-5
        assert abs(gradient[i] - slope) < 1e-7
