"""The documents are programs: README.md and docs/*.md are run, and what they show is compared with what happens.

Enters: Markdown.  Leaves: an assertion where a block does not run, or shows another text than the compiler gives.

Every ```python block is executed, all blocks of a document in one namespace. A comment above a block says what it
shows:

    <!-- emitted: loss.source(params, x, t) -->    the text that this expression gives; it must compile as it stands
    <!-- error: loss.grad(3) -->                   the message of the S2SError that this statement raises
    <!-- prints -->                                what the python block before it printed

`pytest tests/test_readme.py --update-goldens` writes the present texts into the documents.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

BLOCK = re.compile(
    r"(?:^<!-- (?P<directive>emitted|error|prints)(?:: (?P<code>.*?))? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    directive: str | None
    code: str
    span: tuple[int, int]  # of the text, in the document


def blocks(document: str) -> Iterator[Block]:
    for match in BLOCK.finditer(document):
        yield Block(match["language"], match["text"], match["directive"], match["code"] or "", match.span("text"))


def shown(block: Block, namespace: dict[str, Any], printed: str, folder: Path) -> str:
    """What a block with a directive ought to show."""
    if block.directive == "prints":
        return printed
    if block.directive == "emitted":
        text = str(eval(block.code, namespace)).rstrip() + "\n"
        compile(text, "<emitted>", "exec", dont_inherit=True)
        return text
    from s2s_ad import S2SError

    with pytest.raises(S2SError) as caught:
        exec(block.code, namespace)
    return re.sub(rf"{re.escape(str(folder))}/\d+/", "", str(caught.value)).rstrip() + "\n"


def run(document: str, folder: Path) -> Iterator[tuple[Block, str]]:
    """Execute a document; for each block that shows something, the block and what it ought to show."""
    namespace: dict[str, Any] = {"__name__": "__document__"}
    printed = ""
    for number, block in enumerate(blocks(document)):
        if block.directive:
            yield block, shown(block, namespace, printed, folder)
        elif block.language == "python":
            # A file of its own: the compiler reads the text of the functions that a block defines.
            path = folder / str(number) / "model.py"
            path.parent.mkdir(parents=True)
            path.write_text(block.text, encoding="utf-8")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block.text, str(path), "exec", dont_inherit=True), namespace)
            printed = out.getvalue()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_document_runs_and_shows_the_truth(path: Path, tmp_path: Path, update_goldens: bool) -> None:
    document = path.read_text(encoding="utf-8")
    results = list(run(document, tmp_path))
    if update_goldens:
        for block, text in reversed(results):
            document = document[: block.span[0]] + text + document[block.span[1] :]
        path.write_text(document, encoding="utf-8")
        return
    for block, text in results:
        assert block.text == text, f"{path.name} shows another text for `{block.directive}: {block.code}`"


def test_a_wrong_text_is_noticed(tmp_path: Path) -> None:
    document = (
        "```python\nx = 2\nprint(x)\n```\n"
        "<!-- prints -->\n```text\n3\n```\n"
        "<!-- emitted: f'y = {x}' -->\n```python\ny = 2\n```\n"
    )
    (printed, two), (emitted, y) = run(document, tmp_path)
    assert (printed.text, two) == ("3\n", "2\n")
    assert emitted.text == y == "y = 2\n"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_command_line_shows_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from s2s_ad import cli

    monkeypatch.chdir(ROOT)
    commands = re.findall(r"^s2s-ad (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        assert cli.main(shlex.split(command)) == 0
        assert "# reverse sweep" in capsys.readouterr().out


def test_ci_runs_the_command_of_the_readme() -> None:
    command = "python -m pytest -q"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().splitlines()[-1].startswith(command)
