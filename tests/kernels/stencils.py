"""Stencils: Jacobi, Gauss-Seidel, heat, FDTD, ADI, diffusion, advection, cavity and channel flow."""

import numpy as np

from kernels.registry import array, kernel


@kernel(3, array(7), array(7), writes=("A", "B"))
def jacobi_1d(TSTEPS, A, B):
    for t in range(1, TSTEPS):
        B[1:-1] = 0.33333 * (A[:-2] + A[1:-1] + A[2:])
        A[1:-1] = 0.33333 * (B[:-2] + B[1:-1] + B[2:])


@kernel(3, array(5, 6), array(5, 6), writes=("A", "B"))
def jacobi_2d(TSTEPS, A, B):
    for t in range(1, TSTEPS):
        B[1:-1, 1:-1] = 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])
        A[1:-1, 1:-1] = 0.2 * (B[1:-1, 1:-1] + B[1:-1, :-2] + B[1:-1, 2:] + B[2:, 1:-1] + B[:-2, 1:-1])


@kernel(2, array(5, 6), writes=("A",))
def gauss_seidel_2d(steps, A):
    n, m = A.shape
    for _ in range(steps):
        for i in range(1, n - 1):
            A[i, 1:-1] += (
                A[i - 1, :-2] + A[i - 1, 1:-1] + A[i - 1, 2:] + A[i, 2:] + A[i + 1, :-2] + A[i + 1, 1:-1] + A[i + 1, 2:]
            )
            for j in range(1, m - 1):
                A[i, j] += A[i, j - 1]
                A[i, j] /= 9.0


@kernel(3, array(4, 4, 5), array(4, 4, 5), writes=("A", "B"))
def heat_3d(TSTEPS, A, B):
    def half_step(dst, src):
        c = src[1:-1, 1:-1, 1:-1]
        dst[1:-1, 1:-1, 1:-1] = (
            0.125 * (src[2:, 1:-1, 1:-1] - 2.0 * c + src[:-2, 1:-1, 1:-1])
            + 0.125 * (src[1:-1, 2:, 1:-1] - 2.0 * c + src[1:-1, :-2, 1:-1])
            + 0.125 * (src[1:-1, 1:-1, 2:] - 2.0 * c + src[1:-1, 1:-1, :-2])
            + c
        )

    for t in range(1, TSTEPS):
        half_step(B, A)
        half_step(A, B)


@kernel(3, array(5, 6), array(5, 6), array(5, 6), array(3), writes=("ex", "ey", "hz"))
def fdtd_2d(TMAX, ex, ey, hz, source):
    for t in range(TMAX):
        ey[0, :] = source[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])


@kernel(2, 5, array(5, 5), writes=("u",))
def adi(TSTEPS, N, u):
    """Alternating direction implicit heat equation: two tridiagonal sweeps a step."""
    v = np.empty(u.shape)
    p = np.empty(u.shape)
    q = np.empty(u.shape)
    DX, DT = 1.0 / N, 1.0 / TSTEPS
    mul1 = 2.0 * DT / (DX * DX) * 0.01
    mul2 = 1.0 * DT / (DX * DX) * 0.01
    a, b, d, e = -mul1 / 2.0, 1.0 + mul1, -mul2 / 2.0, 1.0 + mul2
    c, f = a, d
    for t in range(1, TSTEPS + 1):
        v[0, 1 : N - 1] = 1.0
        p[1 : N - 1, 0] = 0.0
        q[1 : N - 1, 0] = v[0, 1 : N - 1]
        for j in range(1, N - 1):
            p[1 : N - 1, j] = -c / (a * p[1 : N - 1, j - 1] + b)
            q[1 : N - 1, j] = (
                -d * u[j, 0 : N - 2] + (1.0 + 2.0 * d) * u[j, 1 : N - 1] - f * u[j, 2:N] - a * q[1 : N - 1, j - 1]
            ) / (a * p[1 : N - 1, j - 1] + b)
        v[N - 1, 1 : N - 1] = 1.0
        for j in range(N - 2, 0, -1):
            v[j, 1 : N - 1] = p[1 : N - 1, j] * v[j + 1, 1 : N - 1] + q[1 : N - 1, j]
        u[1 : N - 1, 0] = 1.0
        p[1 : N - 1, 0] = 0.0
        q[1 : N - 1, 0] = u[1 : N - 1, 0]
        for j in range(1, N - 1):
            p[1 : N - 1, j] = -f / (d * p[1 : N - 1, j - 1] + e)
            q[1 : N - 1, j] = (
                -a * v[0 : N - 2, j] + (1.0 + 2.0 * a) * v[1 : N - 1, j] - c * v[2:N, j] - d * q[1 : N - 1, j - 1]
            ) / (d * p[1 : N - 1, j - 1] + e)
        u[1 : N - 1, N - 1] = 1.0
        for j in range(N - 2, 0, -1):
            u[1 : N - 1, j] = p[1 : N - 1, j] * u[1 : N - 1, j + 1] + q[1 : N - 1, j]


@kernel(array(7, 7, 2), array(3, 3, 2), array(3, 3, 2), writes=("out",))
def horizontal_diffusion(in_field, out, coeff):
    ni, nj = out.shape[0], out.shape[1]
    lap = 4.0 * in_field[1 : ni + 3, 1 : nj + 3, :] - (
        in_field[2 : ni + 4, 1 : nj + 3, :]
        + in_field[0 : ni + 2, 1 : nj + 3, :]
        + in_field[1 : ni + 3, 2 : nj + 4, :]
        + in_field[1 : ni + 3, 0 : nj + 2, :]
    )
    res = lap[1:, 1 : nj + 1, :] - lap[:-1, 1 : nj + 1, :]
    flx = np.where((res * (in_field[2 : ni + 3, 2 : nj + 2, :] - in_field[1 : ni + 2, 2 : nj + 2, :])) > 0, 0, res)
    res = lap[1 : ni + 1, 1:, :] - lap[1 : ni + 1, :-1, :]
    fly = np.where((res * (in_field[2 : ni + 2, 2 : nj + 3, :] - in_field[2 : ni + 2, 1 : nj + 2, :])) > 0, 0, res)
    out[:, :, :] = in_field[2 : ni + 2, 2 : nj + 2, :] - coeff * (
        flx[1:, :, :] - flx[:-1, :, :] + fly[:, 1:, :] - fly[:, :-1, :]
    )


@kernel(array(3, 2, 4), array(3, 2, 4), array(4, 2, 4), array(3, 2, 4), 0.15, writes=("utens_stage",))
def vertical_advection(utens_stage, u_stage, wcon, u_pos, dtr_stage):
    """Implicit vertical advection: a tridiagonal solve in each column."""
    I, J, K = utens_stage.shape
    ccol = np.empty((I, J, K))
    dcol = np.empty((I, J, K))
    data_col = np.empty((I, J))
    for k in range(K):
        if k < K - 1:
            gcv = 0.25 * (wcon[1:, :, k + 1] + wcon[:-1, :, k + 1])
            cs = gcv * 0.9
        if k == 0:
            ccol[:, :, k] = gcv * 0.1
            bcol = dtr_stage + 2.0 - ccol[:, :, k]
            correction = -cs * (u_stage[:, :, k + 1] - u_stage[:, :, k])
            dcol[:, :, k] = dtr_stage * u_pos[:, :, k] + utens_stage[:, :, k] + correction
            divided = 1.0 / bcol
            ccol[:, :, k] = ccol[:, :, k] * divided
            dcol[:, :, k] = dcol[:, :, k] * divided
        else:
            gav = -0.25 * (wcon[1:, :, k] + wcon[:-1, :, k])
            acol = gav * 0.1
            if k < K - 1:
                ccol[:, :, k] = gcv * 0.1
                correction = -gav * 0.9 * (u_stage[:, :, k - 1] - u_stage[:, :, k]) - cs * (
                    u_stage[:, :, k + 1] - u_stage[:, :, k]
                )
                bcol = dtr_stage + 2.0 - acol - ccol[:, :, k]
            else:
                correction = -gav * 0.9 * (u_stage[:, :, k - 1] - u_stage[:, :, k])
                bcol = dtr_stage + 2.0 - acol
            dcol[:, :, k] = dtr_stage * u_pos[:, :, k] + utens_stage[:, :, k] + correction
            divided = 1.0 / (bcol - ccol[:, :, k - 1] * acol)
            if k < K - 1:
                ccol[:, :, k] = ccol[:, :, k] * divided
            dcol[:, :, k] = (dcol[:, :, k] - dcol[:, :, k - 1] * acol) * divided
    for k in range(K - 1, -1, -1):
        datacol = dcol[:, :, k] if k == K - 1 else dcol[:, :, k] - ccol[:, :, k] * data_col[:, :]
        data_col[:] = datacol
        utens_stage[:, :, k] = dtr_stage * (datacol - u_pos[:, :, k])


def build_up_b(b, rho, dt, u, v, dx, dy):
    b[1:-1, 1:-1] = rho * (
        1 / dt * ((u[1:-1, 2:] - u[1:-1, 0:-2]) / (2 * dx) + (v[2:, 1:-1] - v[0:-2, 1:-1]) / (2 * dy))
        - ((u[1:-1, 2:] - u[1:-1, 0:-2]) / (2 * dx)) ** 2
        - 2 * ((u[2:, 1:-1] - u[0:-2, 1:-1]) / (2 * dy) * (v[1:-1, 2:] - v[1:-1, 0:-2]) / (2 * dx))
        - ((v[2:, 1:-1] - v[0:-2, 1:-1]) / (2 * dy)) ** 2
    )


def pressure_poisson(nit, p, dx, dy, b):
    pn = np.empty_like(p)
    for _ in range(nit):
        pn[:] = p.copy()
        p[1:-1, 1:-1] = ((pn[1:-1, 2:] + pn[1:-1, 0:-2]) * dy**2 + (pn[2:, 1:-1] + pn[0:-2, 1:-1]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b[1:-1, 1:-1]
        p[:, -1] = p[:, -2]
        p[0, :] = p[1, :]
        p[:, 0] = p[:, 1]
        p[-1, :] = 0


def momentum(un, vn, wn, other, p, dt, dx, dy, rho, nu, along_x):
    """One explicit step of a velocity component `wn` of (un, vn)."""
    gradient = (p[1:-1, 2:] - p[1:-1, 0:-2]) / dx if along_x else (p[2:, 1:-1] - p[0:-2, 1:-1]) / dy
    return (
        wn[1:-1, 1:-1]
        - un[1:-1, 1:-1] * dt / dx * (wn[1:-1, 1:-1] - wn[1:-1, 0:-2])
        - vn[1:-1, 1:-1] * dt / dy * (wn[1:-1, 1:-1] - wn[0:-2, 1:-1])
        - dt / (2 * rho) * gradient
        + nu
        * (
            dt / dx**2 * (wn[1:-1, 2:] - 2 * wn[1:-1, 1:-1] + wn[1:-1, 0:-2])
            + dt / dy**2 * (wn[2:, 1:-1] - 2 * wn[1:-1, 1:-1] + wn[0:-2, 1:-1])
        )
    )


@kernel(2, 3, array(5, 6), array(5, 6), array(5, 6), 0.02, 1.3, 0.11, writes=("u", "v", "p"))
def cavity_flow(nt, nit, u, v, p, dt, rho, nu):
    """Navier-Stokes in a lid-driven cavity."""
    dx, dy = 0.4, 0.5
    un = np.empty_like(u)
    vn = np.empty_like(v)
    b = np.zeros(u.shape)
    for n in range(nt):
        un[:] = u.copy()
        vn[:] = v.copy()
        build_up_b(b, rho, dt, u, v, dx, dy)
        pressure_poisson(nit, p, dx, dy, b)
        u[1:-1, 1:-1] = momentum(un, vn, un, vn, p, dt, dx, dy, rho, nu, True)
        v[1:-1, 1:-1] = momentum(un, vn, vn, un, p, dt, dx, dy, rho, nu, False)
        u[0, :] = 0
        u[:, 0] = 0
        u[:, -1] = 0
        u[-1, :] = 1
        v[0, :] = 0
        v[-1, :] = 0
        v[:, 0] = 0
        v[:, -1] = 0


@kernel(array(5, 6), array(5, 6), array(5, 6), 0.02, 1.3, 0.11, 1.0, writes=("u", "v", "p"))
def channel_flow(u, v, p, dt, rho, nu, F):
    """Flow in a channel, periodic in x, until the mean velocity settles."""
    dx, dy = 0.4, 0.5
    b = np.zeros(u.shape)
    udiff = 1.0
    stepcount = 0
    while udiff > 0.001 and stepcount < 3:
        un = u.copy()
        vn = v.copy()
        build_up_b(b, rho, dt, u, v, dx, dy)
        b[1:-1, -1] = rho * ((u[1:-1, 0] - u[1:-1, -2]) / (2 * dx)) ** 2
        for q in range(2):
            pn = p.copy()
            p[1:-1, 1:-1] = (
                0.25 * (pn[1:-1, 2:] + pn[1:-1, 0:-2] + pn[2:, 1:-1] + pn[0:-2, 1:-1]) - 0.02 * b[1:-1, 1:-1]
            )
            p[1:-1, -1] = 0.25 * (pn[1:-1, 0] + pn[1:-1, -2] + pn[2:, -1] + pn[0:-2, -1]) - 0.02 * b[1:-1, -1]
            p[-1, :] = p[-2, :]
            p[0, :] = p[1, :]
        u[1:-1, 1:-1] = momentum(un, vn, un, vn, p, dt, dx, dy, rho, nu, True) + F * dt
        v[1:-1, 1:-1] = momentum(un, vn, vn, un, p, dt, dx, dy, rho, nu, False)
        u[1:-1, -1] = un[1:-1, -1] * (1.0 - dt) + F * dt * u[1:-1, 0]
        u[0, :] = 0
        u[-1, :] = 0
        v[0, :] = 0
        v[-1, :] = 0
        udiff = (np.sum(u) - np.sum(un)) / np.sum(u)
        udiff = abs(udiff)
        stepcount += 1
    return stepcount * np.mean(u)
