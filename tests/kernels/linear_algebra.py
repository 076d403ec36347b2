"""Factorisations, triangular solves, BLAS-like updates, iterative solvers, sparse products."""

import numpy as np

from kernels.registry import array, definite, dominant, kernel


@kernel(definite(4), writes=("A",))
def cholesky(A):
    A[0, 0] = np.sqrt(A[0, 0])
    for i in range(1, A.shape[0]):
        for j in range(i):
            A[i, j] -= np.dot(A[i, :j], A[j, :j])
            A[i, j] /= A[j, j]
        A[i, i] -= np.dot(A[i, :i], A[i, :i])
        A[i, i] = np.sqrt(A[i, i])


@kernel(dominant(4), writes=("A",))
def lu(A):
    for i in range(A.shape[0]):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, A.shape[0]):
            A[i, j] -= A[i, :i] @ A[:i, j]


def lu_by_elements(A):
    n = A.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            A[i, k] = A[i, k] / A[k, k]
            for j in range(k + 1, n):
                A[i, j] = A[i, j] - A[i, k] * A[k, j]


@kernel(dominant(4), array(4), writes=("A", "b"))
def lu_solve(A, b):
    x = np.zeros_like(b)
    y = np.zeros_like(b)
    lu_by_elements(A)
    n = A.shape[0]
    for i in range(n):
        y[i] = b[i] - A[i, :i] @ y[:i]
    for i in range(n - 1, -1, -1):
        x[i] = (y[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x, y


@kernel(dominant(5), array(5))
def triangular_solve(L, b):
    x = np.empty(len(b))
    for i in range(len(b)):
        x[i] = b[i]
        for j in range(i):
            x[i] -= L[i, j] * x[j]
        x[i] /= L[i, i]
    return x


@kernel(array(5, 3), writes=("A",))
def gram_schmidt(A):
    Q = np.zeros_like(A)
    R = np.zeros((A.shape[1], A.shape[1]))
    for k in range(A.shape[1]):
        nrm = np.dot(A[:, k], A[:, k])
        R[k, k] = np.sqrt(nrm)
        Q[:, k] = A[:, k] / R[k, k]
        for j in range(k + 1, A.shape[1]):
            R[k, j] = np.dot(Q[:, k], A[:, j])
            A[:, j] -= Q[:, k] * R[k, j]
    return Q, R


@kernel(array(5, low=-0.4, high=0.4))
def durbin(r):
    y = np.empty_like(r)
    alpha = -r[0]
    beta = 1.0
    y[0] = -r[0]
    for k in range(1, r.shape[0]):
        beta *= 1.0 - alpha * alpha
        alpha = -(r[k] + np.dot(np.flip(r[:k]), y[:k])) / beta
        y[:k] += alpha * np.flip(y[:k])
        y[k] = alpha
    return y


@kernel(1.5, 1.2, array(3, 4), array(3, 3), array(3, 4), writes=("C",))
def symm(alpha, beta, C, A, B):
    temp2 = np.empty((C.shape[1],))
    C *= beta
    for i in range(C.shape[0]):
        for j in range(C.shape[1]):
            C[:i, j] += alpha * B[i, j] * A[i, :i]
            temp2[j] = B[:i, j] @ A[i, :i]
        C[i, :] += alpha * B[i, :] * A[i, i] + alpha * temp2


@kernel(1.5, 1.2, array(4, 4), array(4, 3), writes=("C",))
def syrk(alpha, beta, C, A):
    for i in range(A.shape[0]):
        C[i, : i + 1] *= beta
        for k in range(A.shape[1]):
            C[i, : i + 1] += alpha * A[i, k] * A[: i + 1, k]


@kernel(1.5, 1.2, array(4, 4), array(4, 3), array(4, 3), writes=("C",))
def syr2k(alpha, beta, C, A, B):
    for i in range(A.shape[0]):
        C[i, : i + 1] *= beta
        for k in range(A.shape[1]):
            C[i, : i + 1] += A[: i + 1, k] * alpha * B[i, k] + B[: i + 1, k] * alpha * A[i, k]


@kernel(1.5, array(4, 4), array(4, 3), writes=("B",))
def trmm(alpha, A, B):
    for i in range(B.shape[0]):
        for j in range(B.shape[1]):
            B[i, j] += np.dot(A[i + 1 :, i], B[i + 1 :, j])
    B *= alpha


@kernel(array(5, 3), writes=("data",))
def covariance(data):
    M, N = data.shape[1], float(data.shape[0])
    mean = np.mean(data, axis=0)
    data -= mean
    cov = np.zeros((M, M), dtype=data.dtype)
    for i in range(M):
        cov[i:M, i] = cov[i, i:M] = data[:, i] @ data[:, i:M] / (N - 1.0)
    return cov


@kernel(array(5, 3), writes=("data",))
def correlation(data):
    M, N = data.shape[1], data.shape[0]
    mean = np.mean(data, axis=0)
    stddev = np.std(data, axis=0)
    stddev[stddev <= 0.1] = 1.0
    data -= mean
    data /= np.sqrt(float(N)) * stddev
    corr = np.eye(M, dtype=data.dtype)
    for i in range(M - 1):
        corr[i + 1 : M, i] = corr[i, i + 1 : M] = data[:, i] @ data[:, i + 1 : M]
    return corr


@kernel(definite(4), array(4), jax=True)
def conjugate_gradients(A, b):
    x = np.zeros_like(b)
    r = b - A @ x
    p = r.copy()
    rs = r @ r
    for _ in range(3):
        Ap = A @ p
        alpha = rs / (p @ Ap)
        x = x + alpha * p
        r = r - alpha * Ap
        rs_next = r @ r
        if np.sqrt(rs_next) < 1e-10:
            break
        p = r + (rs_next / rs) * p
        rs = rs_next
    return x


@kernel(definite(4), array(4))
def conjugate_gradients_in_place(A, b):
    x = np.zeros_like(b)
    r = b.copy()
    p = r.copy()
    rs = r @ r
    k = 0
    while k < 3 and rs > 1e-12:
        Ap = A @ p
        alpha = rs / (p @ Ap)
        x += alpha * p
        r -= alpha * Ap
        rs_old, rs = rs, r @ r
        p *= rs / rs_old
        p += r
        k += 1
    return x, r


@kernel(definite(4), array(4))
def power_iteration(A, v):
    v = v / np.linalg.norm(v)
    eigenvalue = 0.0
    for _ in range(4):
        w = A @ v
        eigenvalue = v @ w
        w /= np.sqrt(np.sum(w * w))
        v = w
    return eigenvalue, v


@kernel(array(4), lambda rng: np.array([0, 2, 3, 3, 5]), lambda rng: np.array([0, 3, 1, 2, 0]), array(5))
def csr_spmv(x, indptr, indices, data):
    y = np.empty(indptr.size - 1)
    for i in range(indptr.size - 1):
        cols = indices[indptr[i] : indptr[i + 1]]
        vals = data[indptr[i] : indptr[i + 1]]
        y[i] = vals @ x[cols]
    return y


@kernel(array(4), lambda rng: np.array([0, 2, 3, 3, 5]), lambda rng: np.array([0, 3, 1, 2, 0]), array(5))
def csr_spmv_by_elements(x, indptr, indices, data):
    y = np.zeros(len(indptr) - 1)
    for i in range(len(y)):
        for k in range(indptr[i], indptr[i + 1]):
            y[i] += data[k] * x[indices[k]]
    return y
