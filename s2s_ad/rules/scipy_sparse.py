"""Rules for linear systems with sparse matrices, which are constants here.

Enters: sparse matrices and dense right-hand sides.  Leaves: solutions of the transposed system. A product `A @ x` needs
no rule of its own: it is the rule of `np.matmul`, in which a sparse `A` is transposed as an array is.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from s2s_ad.rules.lookup import no_derivative
from s2s_ad.rules.matrix_samples import call, real, square
from s2s_ad.rules.registry import adjoint_of, static


def _systems():
    matrix = scipy.sparse.csc_array(np.triu(square(4, 4), -1))
    return [
        call(matrix, real(4), wrt=(1,)),
        call(matrix, real(4, 2), wrt=(1,)),
        call(scipy.sparse.csc_matrix(square(3, 3)), real(3), wrt=(1,)),
        call(scipy.sparse.csc_array(np.tril(square(5, 5))), real(5, 3), wrt=(1,)),
    ]


@static
def transposed(matrix):
    """In the format that spsolve wants."""
    return matrix.T.tocsc()


def spsolve_tangent(A, b, x, A_dot, b_dot, permc_spec=None, use_umfpack=True):
    return scipy.sparse.linalg.spsolve(A, b_dot, permc_spec, use_umfpack)


@adjoint_of(scipy.sparse.linalg.spsolve, tangent=spsolve_tangent, samples=_systems)
def spsolve(A, b, x, x_bar, permc_spec=None, use_umfpack=True):
    solved = scipy.sparse.linalg.spsolve(transposed(A), x_bar, permc_spec, use_umfpack)
    return no_derivative("the sparse matrix of scipy.sparse.linalg.spsolve"), solved
