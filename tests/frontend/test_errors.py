"""Errors print like a compiler's message: place, line with carets, fact, remedy."""

from __future__ import annotations

import ast
import copy
import pickle

import pytest

from s2s_ad.errors import InternalError, Place, S2SError, SignatureError, UnsupportedSyntax, internal
from s2s_ad.frontend.source import place_of, retrieve

pytestmark = pytest.mark.quick


def test_all_four_parts_are_printed() -> None:
    error = UnsupportedSyntax("no `yield`", "Return a list.", Place("m.py", 7, 4, 9, "    yield x\n"))
    assert str(error) == "m.py:7:5: error: no `yield`\n    7 |     yield x\n      |     ^^^^^\nReturn a list."


def test_parts_that_are_missing_leave_no_trace() -> None:
    assert str(S2SError("a fact")) == "a fact"
    assert str(S2SError("a fact", place=Place("m.py", 3))) == "m.py:3:1: error: a fact"


@pytest.mark.parametrize(
    ("place", "carets"),
    [
        (Place("m.py", 1, 2, None, "a + b"), "  ^"),
        (Place("m.py", 1, 0, 99, "a + b"), "^^^^^"),
        (Place("m.py", 1, 4, 2, "a + b"), "    ^"),
        (Place("m.py", 1, 1, 2, "\ta"), " ^"),
    ],
)
def test_carets_stay_under_the_line(place: Place, carets: str) -> None:
    assert str(S2SError("fact", place=place)).split("\n")[2] == "      | " + carets


def test_first_place_is_kept() -> None:
    near, far = Place("near.py", 1), Place("far.py", 2)
    assert S2SError("fact").at(near).at(far).place == near
    assert S2SError("fact").at(None).at(far).place == far


def test_signature_errors_are_type_errors() -> None:
    with pytest.raises(TypeError):
        raise SignatureError("an integer")


def test_internal_error_says_that_the_bug_is_ours() -> None:
    place = Place("m.py", 2, 0, 1, "x = y")
    error = internal(IndexError("list index out of range"), place, "the assignment `x = y`")
    assert isinstance(error, InternalError)
    assert error.place is place
    first, *_, last = str(error).split("\n")
    assert first == "m.py:2:1: error: s2s_ad failed on the assignment `x = y`: IndexError: list index out of range"
    assert "bug in s2s_ad" in last and "report" in last


def test_errors_survive_copying_and_pickling() -> None:
    error = S2SError("fact", "remedy", Place("m.py", 3, 1, 2, "abc"))
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(twin) == str(error)


def test_columns_count_characters_not_bytes() -> None:
    def growth(größe, λ):
        return größe + λ * größe

    source = retrieve(growth)
    product = source.tree.body[0].value.right
    place = place_of(source, product)
    assert place.text[place.column : place.end] == "λ * größe"
    loop = ast.parse("for i in x:\n    pass").body[0]
    assert place_of(source, loop).end == len(source.lines[0].rstrip())
