"""Comments are found where Python's own tokenizer finds them, and cannot end early."""

from __future__ import annotations

import argparse
import inspect
import io
import tokenize
import types

import pytest

from s2s_ad.frontend.comments import comments_of, escaped

pytestmark = pytest.mark.quick


def tokenized(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


@pytest.mark.parametrize("module", [argparse, inspect, types], ids=lambda module: module.__name__)
def test_comments_of_real_modules(module: types.ModuleType) -> None:
    text = inspect.getsource(module)
    lines = text.split("\n")
    found = comments_of(lines, 1, len(lines))
    expected = tokenized(text)
    assert len(expected) > 5
    assert found.texts == expected
    assert found.own_lines == {number for number in expected if lines[number - 1].lstrip()[0] == "#"}


TRICKY = '''
class A:
    # before
    def f(self, x):  # behind the header
        """# not a comment
        # nor this
        """
        y = (  # inside brackets
            x
            # alone inside brackets
            + 1
        ) \\
            + 2  # behind a continuation
# at the margin
        if y:
            pass
            # the end of a block
        else: z = f"{x}  # no" "# no"; w = 1  # one line
        return [  # list
            "#",  # element
        ]
    # after
'''


def test_only_lines_of_the_span_count() -> None:
    lines = TRICKY.split("\n")
    first = lines.index("    def f(self, x):  # behind the header") + 1
    last = lines.index("        ]") + 1
    expected = {line: text for line, text in tokenized(TRICKY).items() if first <= line <= last}
    found = comments_of(lines, first, last)
    assert found.texts == expected
    assert {lines[number - 1].strip() for number in found.own_lines} == {
        "# alone inside brackets",
        "# at the margin",
        "# the end of a block",
    }


def test_span_that_is_no_statement_has_no_comments() -> None:
    assert not comments_of(["f = [  # open", "    lambda x: [x,  # here"], 2, 2).texts
    assert not comments_of(["    ) # closing"], 1, 1).texts


@pytest.mark.parametrize("control", ["\r", "\x0b", "\x0c", "\x1b", "\x00", "\u2028", "\u2029", "\x85", "\u202e"])
def test_control_characters_cannot_end_a_comment(control: str) -> None:
    text = escaped(f"# harmless{control}raise SystemExit")
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    exec(compile(text, "<comment>", "exec"), {})


def test_letters_and_signs_stay() -> None:
    assert escaped("# ∇f → 0, größer\tals λ") == "# ∇f → 0, größer als λ"
