"""From a call to the compiled program for it: derived once a signature, looked up afterwards.

Enters: a function, what is asked of it, the values of a call.  Leaves: an `Entry`, whose program fits these values.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from s2s_ad.api.checks import check_differentiable, check_scalar_result
from s2s_ad.api.settle import settler
from s2s_ad.build.signature import args_key, spec_of
from s2s_ad.errors import AliasingError, InternalError, Place, S2SError, SignatureError
from s2s_ad.ir.spec import Spec

if TYPE_CHECKING:
    from s2s_ad.frontend.source import FunctionSource
    from s2s_ad.pipeline import Program

Mode = Literal["primal", "gradient", "vjp", "jvp"]

# One lock for all derivations: a derivative of a derivative derives both, and locks taken in two orders would deadlock.
_DERIVING = threading.RLock()
_ATTRIBUTE = "__s2s_ad__"
_MOST_SHARED = 1024
# A signature holds opaque objects by identity: a function that is given a new one at each call must not hoard programs.
_MOST_SIGNATURES = 512


@dataclass(frozen=True)
class Question:
    """What is asked of a function: the pipeline's `Request`, before the pipeline is loaded."""

    mode: Mode
    wrt: tuple[str, ...]
    has_aux: bool = False
    optimize: bool = True
    backend: str = "numpy"
    whole: bool = True
    """Whether the parameters are differentiated as wholes, not only items of `*args` or `**kwargs`."""


class CacheInfo(NamedTuple):
    """How often a program was derived, and how many signatures are at hand."""

    derivations: int
    signatures: int


def derive(source: FunctionSource, specs: dict[str, Spec], question: Question) -> Program:
    """The pipeline's `derive`. It brings in the parser, so it is loaded by the first derivation, not by the import."""
    from s2s_ad import pipeline

    request = pipeline.Request(
        question.mode, question.wrt, question.has_aux, optimize=question.optimize, backend=question.backend
    )
    return pipeline.derive(source, specs, request)


class Entry:
    """A program, with what has to hold for it to be the right one at each call."""

    __slots__ = (
        "backend",
        "captures",
        "check_value",
        "extras",
        "function",
        "guards",
        "inner",
        "plain",
        "program",
        "settle",
        "signature",
        "specs",
    )

    def __init__(
        self, program: Program, specs: dict[str, Spec], question: Question, inner: Entry | None, check_value: bool
    ) -> None:
        self.program = program
        self.backend = question.backend
        self.check_value = check_value  # whether only the value itself can say that it is a scalar
        before = () if inner is None else inner.extras
        self.extras: tuple[str, ...] = (*before, *(capture.parameter for capture in program.captures))
        self.function = program.function
        self.specs = specs  # objects that the key holds by identity live as long as the entry
        self.inner = inner
        self.guards = program.guards
        self.captures = program.captures
        self.settle = settler([specs[name] for name in question.wrt], question.backend)
        self.plain = not self.guards and not self.captures and inner is None
        self.signature = args_key(self._captured()) if self.captures else None

    def _captured(self) -> tuple[Any, ...]:
        return tuple(capture.read() for capture in self.captures)

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """What is passed beside the values of the call (positional, by keyword); None when the program is outdated."""
        more: tuple[Any, ...] = ()
        if self.inner is not None:
            inner = self.inner.arguments()
            if inner is None:
                return None
            more = (*inner[0], *inner[1].values())
        try:
            for guard in self.guards:
                if guard.read() is not guard.expected:
                    return None
            captured = self._captured()
        except (
            KeyError,
            NameError,
            AttributeError,
            ValueError,
        ):  # unbound by now: a new derivation says so, with place
            return None
        if self.captures and args_key(captured) != self.signature:
            return None
        return more, {capture.parameter: value for capture, value in zip(self.captures, captured, strict=True)}


SHARED = "shared memory: "  # how emitted programs begin what they say when they find arrays that overlap


def shared_memory(message: str) -> AliasingError:
    return AliasingError(
        message.removeprefix(SHARED),
        "Pass copies (x.copy()) of arguments that overlap; copy what a reshape may copy before it is written.",
    )


class Family:
    """All programs that answer one question about one function, by signature."""

    def __init__(self, origin: Origin, question: Question) -> None:
        self.origin = origin
        self.question = question
        self.entries: dict[Hashable, Entry] = {}
        self.derivations = 0

    def run(self, values: tuple[Any, ...], tangents: tuple[Any, ...] = ()) -> tuple[Entry, Any]:
        """The entry for these values, and what its program returns."""
        try:
            entry = self.entries.get(args_key(values))
        except SignatureError as error:
            raise self._named(error, values) from None
        more: tuple[Any, ...] = ()
        captured: dict[str, Any] = {}
        if entry is None or not entry.plain:
            entry, more, captured = self._current(values, entry)
        try:
            return entry, entry.function(*values, *more, *tangents, **captured)
        except ValueError as error:
            if str(error).startswith(SHARED):
                raise shared_memory(str(error)) from None
            raise

    def entry_for(self, values: tuple[Any, ...]) -> Entry:
        try:
            entry = self.entries.get(args_key(values))
        except SignatureError as error:
            raise self._named(error, values) from None
        return self._current(values, entry)[0]

    def _named(self, error: SignatureError, values: tuple[Any, ...]) -> SignatureError:
        """The same error with the name of the argument that it speaks of."""
        for name, value in zip(self.origin.names, values, strict=False):
            try:
                spec_of(value)
            except SignatureError:
                return SignatureError(f"argument `{name}` is {error.fact}", error.remedy)
        return error

    def _current(self, values: tuple[Any, ...], entry: Entry | None) -> tuple[Entry, tuple[Any, ...], dict[str, Any]]:
        for _ in range(3):
            arguments = None if entry is None else entry.arguments()
            if entry is not None and arguments is not None:
                return entry, *arguments
            entry = self._derived(values, entry)
        raise InternalError(
            f"the program for `{self.origin.name}` is outdated as soon as it is derived; this is a bug in s2s_ad",
            "Please report it. A global that is rebound by another thread all the time would be a cause.",
        )

    def _derived(self, values: tuple[Any, ...], outdated: Entry | None) -> Entry:
        key = args_key(values)
        with _DERIVING:
            entry = self.entries.get(key)
            if entry is not None and entry is not outdated:
                return entry
            self._check(values)
            source, inner = self.origin.text_for(values)
            names = self.origin.names if inner is None else (*self.origin.names, *inner.extras)
            given = values if inner is None else (*values, *_flat(inner.arguments()))
            specs = {name: spec_of(value) for name, value in zip(names, given, strict=True)}
            entry = self.answer(source, specs, inner)
            if len(self.entries) >= _MOST_SIGNATURES:
                del self.entries[next(iter(self.entries))]
            self.entries[key] = entry
            return entry

    def answer(self, source: FunctionSource, specs: dict[str, Spec], inner: Entry | None = None) -> Entry:
        """Derive a program. What is raised here and is no `S2SError` is our bug, and says so."""
        try:
            program = derive(source, specs, self.question)
        except (S2SError, MemoryError):
            raise
        except Exception as cause:
            line = source.tree.lineno
            text = source.lines[line - 1].rstrip("\r\n") if line <= len(source.lines) else ""
            raise InternalError(
                f"s2s_ad failed on `{source.name}` ({type(cause).__name__}: {cause}). "
                "This is a bug in s2s_ad, not in your program",
                "Please report it together with the function. The cause is shown above.",
                Place(source.filename, line, source.tree.col_offset, text=text),
            ) from cause
        self.derivations += 1
        check_value = self.question.mode == "gradient"
        if check_value and program.result_spec is not None:
            check_value = check_scalar_result(source.name, program.result_spec, self.question.has_aux)
        return Entry(program, specs, self.question, inner, check_value)

    def _check(self, values: tuple[Any, ...]) -> None:
        if self.question.mode != "gradient" or not self.question.whole:
            return
        for name in self.question.wrt:
            check_differentiable(name, values[self.origin.names.index(name)])


def _flat(arguments: tuple[tuple[Any, ...], dict[str, Any]] | None) -> tuple[Any, ...]:
    return () if arguments is None else (*arguments[0], *arguments[1].values())


class Origin:
    """A function to differentiate, its text, and the programs made of it so far."""

    def __init__(self, function: Callable[..., Any], names: Sequence[str]) -> None:
        self.function = function
        self.name: str = function.__name__
        self.names = tuple(names)
        self.families: dict[Question, Family] = {}

    def ask(self, question: Question) -> Family:
        family = self.families.get(question)
        # `setdefault` is atomic: of two threads that ask at once, both get one family.
        return family if family is not None else self.families.setdefault(question, Family(self, question))

    def text_for(self, values: tuple[Any, ...]) -> tuple[FunctionSource, Entry | None]:
        """The text to differentiate for these values, and the entry whose program it calls, if it does."""
        raise NotImplementedError

    def generic(self) -> FunctionSource:
        """The text before any argument is known."""
        raise SignatureError(
            f"the program of `{self.name}` depends on the arguments' types",
            "Give arguments: source(f, x, y) prints the program for arguments like these.",
        )

    def cache_info(self) -> CacheInfo:
        families = list(self.families.values())
        return CacheInfo(sum(f.derivations for f in families), sum(len(f.entries) for f in families))


class PlainOrigin(Origin):
    """A function as its author wrote it. Its text is read now: later the file may hold another."""

    def __init__(self, function: types.FunctionType, names: Sequence[str]) -> None:
        super().__init__(function, names)
        from s2s_ad.frontend.source import retrieve  # the parser: not for `import s2s_ad` to load

        self.code = function.__code__
        self.source = retrieve(function)

    def text_for(self, values: tuple[Any, ...]) -> tuple[FunctionSource, Entry | None]:
        return self.source, None

    def generic(self) -> FunctionSource:
        return self.source


_shared: dict[tuple[int, int], PlainOrigin] = {}


def origin_of(function: types.FunctionType, names: Sequence[str]) -> PlainOrigin:
    """The origin of `function`, one for all that is asked of it.

    Functions without a closure share it with every function of the same code and globals (a lambda in a loop is made
    anew each time round). A closure's hangs on the function itself: captured values and programs go away together.
    """
    if function.__closure__:
        origin = function.__dict__.get(_ATTRIBUTE)
        # `functools.wraps` copies a function's attributes to its wrapper, which is another function.
        if isinstance(origin, PlainOrigin) and origin.function is function and origin.code is function.__code__:
            return origin
        origin = function.__dict__[_ATTRIBUTE] = PlainOrigin(function, names)
        return origin
    key = id(function.__code__), id(function.__globals__)
    shared = _shared.get(key)  # the origin holds code and globals, so the ids are theirs as long as it is here
    if shared is not None:
        return shared
    shared = PlainOrigin(function, names)
    with _DERIVING:
        if len(_shared) >= _MOST_SHARED:
            del _shared[next(iter(_shared))]
        return _shared.setdefault(key, shared)
