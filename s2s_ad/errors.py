"""Errors that are part of the product: place, source line with a caret, fact, remedy.

Enters: a place in the user's source and two sentences.  Leaves: exceptions that print like a compiler's message.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A span of the user's source. Columns count characters from 0; `end` is exclusive."""

    filename: str
    line: int
    column: int = 0
    end: int | None = None
    text: str = ""


class S2SError(Exception):
    """Base of everything that s2s_ad raises on purpose.

    >>> place = Place("m.py", 14, 8, 18, "    x = np.lexsort(t)")
    >>> print(S2SError("cannot differentiate through `np.lexsort`", "Add a rule.", place))
    m.py:14:9: error: cannot differentiate through `np.lexsort`
       14 |     x = np.lexsort(t)
          |         ^^^^^^^^^^
    Add a rule.
    """

    def __init__(self, fact: str, remedy: str = "", place: Place | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy
        self.place = place

    def at(self, place: Place | None) -> S2SError:
        """The same error at `place`, unless it has a place already."""
        if self.place is None:
            self.place = place
        return self

    def __str__(self) -> str:
        parts = []
        if self.place is None:
            parts.append(self.fact)
        else:
            parts.append(f"{self.place.filename}:{self.place.line}:{self.place.column + 1}: error: {self.fact}")
            if self.place.text:
                parts.append(_excerpt(self.place))
        if self.remedy:
            parts.append(self.remedy)
        return "\n".join(parts)


def _excerpt(place: Place) -> str:
    number = f"{place.line:5d}"
    text = place.text.rstrip("\r\n").replace("\t", " ")
    end = min(place.end if place.end is not None else place.column + 1, len(text))
    carets = " " * place.column + "^" * max(1, end - place.column)
    return f"{number} | {text}\n{' ' * len(number)} | {carets}"


class UnsupportedSyntax(S2SError):
    """The program uses something outside the language that is differentiated."""


class CertainError(UnsupportedSyntax):
    """What Python raises here whatever the arguments are: a key that a dict does not have, a name that is not bound."""

    exception: type[Exception] = Exception


class MissingRule(S2SError):
    """An active value reaches a function that has no derivative rule."""


class AliasingError(S2SError):
    """Two names may or may not share memory, one is written, and the answer would depend on it."""


class SourceNotFound(S2SError):
    """The text of a function cannot be found, or is not the text of this function."""


class SignatureError(S2SError, TypeError):
    """The arguments of a call do not fit: a wrong argnum, an integer to differentiate, a result that is no scalar."""


class InternalError(S2SError):
    """Our bug: a program that Python runs and that we failed on without meaning to."""


def internal(cause: BaseException, place: Place | None, construct: str) -> InternalError:
    """The error for a failure of our own while `construct` was read; raise it `from cause`."""
    return InternalError(
        f"s2s_ad failed on {construct}: {type(cause).__name__}: {cause}",
        "This is a bug in s2s_ad, not in your program. Please report it with the lines above.",
        place,
    )
