"""Source-to-source automatic differentiation of plain NumPy functions.

Enters: functions as people write them.  Leaves: their derivatives, as programs that people can read, and that run.

    >>> import s2s_ad
    >>> s2s_ad.grad(lambda x: x * x)(3.0)
    6.0
"""

from typing import TYPE_CHECKING, Any

from s2s_ad.api.custom import adjoint_of, custom_jvp, custom_vjp
from s2s_ad.api.decorator import adjoint
from s2s_ad.api.derivatives import grad, value_and_grad
from s2s_ad.api.jacobians import hessian, hvp, jacfwd, jacobian, jacrev
from s2s_ad.api.linear import jvp, vjp
from s2s_ad.api.printing import source
from s2s_ad.emit.source_text import Source
from s2s_ad.errors import (
    AliasingError,
    InternalError,
    MissingRule,
    S2SError,
    SignatureError,
    SourceNotFound,
    UnsupportedSyntax,
)
from s2s_ad.ir.markers import checkpoint, stop_gradient

if TYPE_CHECKING:
    from s2s_ad import testing as testing

__version__ = "0.1.0"

__all__ = [
    "AliasingError",
    "InternalError",
    "MissingRule",
    "S2SError",
    "SignatureError",
    "Source",
    "SourceNotFound",
    "UnsupportedSyntax",
    "adjoint",
    "adjoint_of",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "source",
    "stop_gradient",
    "testing",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    """`s2s_ad.testing` is loaded when it is used: programs that differentiate have no need of it."""
    if name == "testing":
        import importlib

        return importlib.import_module("s2s_ad.testing")
    raise AttributeError(f"module 's2s_ad' has no attribute {name!r}")
