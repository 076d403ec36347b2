"""Rules of our own run-time functions: derivatives of derivatives meet them.

Enters: nothing.  Leaves: rules in the registry.
"""

from __future__ import annotations

from s2s_ad.rules.registry import adjoint_of, passive
from s2s_ad.rules.runtime import add_lists, last_writes, unbroadcast
from s2s_ad.rules.samples import call, calls

passive(last_writes)


@adjoint_of(
    unbroadcast,
    kind="linear",
    samples=calls(
        lambda d: [
            call(d.floats(2, 3), (3,)),
            call(d.floats(2, 3), (2, 1)),
            call(d.floats(2, 3), (2, 3)),
            call(d.floats(4, 2, 3), (1, 3)),
            call(d.floats(3), (2, 3)),
            call(d.floats(2, 3), ()),
        ]
    ),
)
def unbroadcasting(x, y, y_bar, shape=None):
    return y_bar


@adjoint_of(add_lists, tangent=lambda x, y, z, x_dot, y_dot: add_lists(x_dot, y_dot))
def adding_lists(x, y, z, z_bar):
    return z_bar, z_bar
