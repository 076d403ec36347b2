"""The rule of `np.einsum`: each cotangent is again an einsum, of the result's cotangent and the other operands.

Enters: nothing.  Leaves: a rule in the registry.
"""

from __future__ import annotations

import string

import numpy as np

from s2s_ad.rules.axes import span
from s2s_ad.rules.registry import adjoint_of, static
from s2s_ad.rules.samples import call, calls


@static
def explicit_terms(subscripts, ranks):
    """The letters of each operand and of the result, with `...` spelled out and the implicit result added."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    free = [c for c in string.ascii_letters if c not in subscripts]
    most = max([rank - len(t) + 3 for t, rank in zip(terms, ranks, strict=True) if "..." in t], default=0)
    broad = "".join(free[:most])
    spelled = []
    for term, rank in zip(terms, ranks, strict=True):
        count = rank - len(term) + 3
        spelled.append(term.replace("...", broad[len(broad) - count :]))
    if not arrow:
        letters = "".join(terms).replace(".", "")
        once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        output = ("..." if broad else "") + once
    return tuple(spelled), output.replace("...", broad)


@static
def adjoint_subscripts(subscripts, k, ranks):
    """The einsum that gives the cotangent of operand k from the result's cotangent and the other operands.

    Also given: the axes of operand k whose letter occurs nowhere else (along them the cotangent is constant), and those
    whose letter repeats an earlier one (an identity matrix keeps the diagonal).

    >>> adjoint_subscripts("ij,jk->ik", 0, (2, 2))
    ('ik,jk->ij', (), ())
    >>> adjoint_subscripts("iij->", 0, (3,))
    (',ia->ia', (2,), (1,))
    """
    terms, output = explicit_terms(subscripts, ranks)
    others = [t for i, t in enumerate(terms) if i != k]
    known = set(output).union(*others)
    used = set("".join(terms) + output)
    fresh = (c for c in string.ascii_letters if c not in used)
    identities, twice, lone, target = [], [], [], ""
    for axis, letter in enumerate(terms[k]):
        if letter in terms[k][:axis]:
            new = next(fresh)
            identities.append(letter + new)
            twice.append(axis)
            target += new
        elif letter not in known and terms[k].count(letter) == 1:
            lone.append(axis)
        else:
            target += letter
    return ",".join([output, *others, *identities]) + "->" + target, tuple(lone), tuple(twice)


def einsum_cotangent(subscripts, k, ranks, xs, y_bar, optimize):
    text, lone, twice = adjoint_subscripts(subscripts, k, ranks)
    if len(twice) > 0:
        g = einsum_on_diagonals(text, y_bar, (*xs[:k], *xs[k + 1 :]), xs[k].shape, twice)
    elif optimize is False:
        g = np.einsum(text, y_bar, *xs[:k], *xs[k + 1 :])
    else:
        g = np.einsum(text, y_bar, *xs[:k], *xs[k + 1 :], optimize=optimize)
    return np.expand_dims(g, lone) if len(lone) > 0 else g


def einsum_on_diagonals(text, y_bar, others, shape, twice):
    """An einsum with an identity matrix for each axis whose letter is a repeated one."""
    identities = [np.eye(shape[axis]) for axis in twice]
    return np.einsum(text, y_bar, *others, *identities)


def _arguments(*operands, out=None, optimize=False, **options):
    """`einsum("ij,j", a, b)` and `einsum(a, [0, 1], b, [1])` alike."""
    if isinstance(operands[0], str):
        return operands, {"optimize": optimize, **options}
    letters = string.ascii_letters
    arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
    terms = ["".join("..." if i is Ellipsis else letters[i] for i in sub) for sub in lists]
    text = ",".join(terms)
    if len(operands) % 2:
        text += "->" + "".join("..." if i is Ellipsis else letters[i] for i in operands[-1])
    return (text, *arrays), {"optimize": optimize, **options}


@adjoint_of(
    np.einsum,
    kind="multilinear",
    binder=_arguments,
    samples=calls(
        lambda d: [
            call("ij,jk->ik", d.signed(2, 3), d.floats(3, 4)),
            call("ij,jk", d.signed(2, 3), d.floats(3, 4)),
            call("ii->i", d.signed(3, 3)),
            call("ii", d.signed(3, 3)),
            call("iij,jk->k", d.signed(2, 2, 3), d.floats(3, 2)),
            call("...ij,...jk->...ik", d.signed(4, 2, 3), d.floats(3, 2)),
            call("...i,i->...", d.signed(2, 4, 3), d.floats(3)),
            call("i...,i...", d.signed(3, 2), d.floats(3, 1)),
            call("ij,kl->l", d.signed(2, 3), d.floats(4, 2)),
            call("ij,jk,kl->il", d.signed(2, 3), d.floats(3, 4), d.floats(4, 2)),
            call("i,i,i->", d.signed(3), d.floats(3), d.floats(3), optimize=True),
            call("ji", d.signed(2, 3)),
            call(", ij -> ji", d.number(), d.signed(2, 3)),
            call("ij->", d.signed(2, 3)),
            call("i,i->i", d.signed(1), d.floats(3)),
            call("ij,jk->ik", d.complexes(2, 3), d.complexes(3, 2)),
        ]
    ),
)
def einsum(subscripts, *xs, y, y_bar, optimize=False):
    ranks = tuple([np.ndim(x) for x in xs])
    places = span(-1, len(xs))
    return tuple([None if k < 0 else einsum_cotangent(subscripts, k, ranks, xs, y_bar, optimize) for k in places])
