"""Uses a cassette: as a context manager, and as a decorator of functions, coroutines, generators and classes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tapemeter import lending
from tapemeter.vcr import ownership

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tapemeter.vcr.cassette import Cassette

Use = Callable[[Any], Any]
_NOT_THE_CASSETTES = ("path_transformer", "func_path_generator", "record_on_exception")


class CassetteContextDecorator:
    """A cassette to be used: opened when it is entered, written when it is left.

    As a context manager it cannot be entered twice at once. A function that it decorates can, since each of its calls
    has a cassette of its own.
    """

    @classmethod
    def from_args(cls, cassette_class: type[Cassette], **options: Any) -> CassetteContextDecorator:
        """Return one for options that are known."""
        return cls(cassette_class, lambda: dict(options))

    def __init__(self, cls: type[Cassette], args_getter: Callable[[], dict[str, Any]]) -> None:
        self.cls = cls
        self._args_getter = args_getter
        self._undo: ExitStack | None = None
        self._cassette: Any = None

    def __enter__(self) -> Any:
        if self._undo is not None:
            raise AssertionError("Cassette already open.")
        options = self._args_getter()
        own = {name: options.pop(name, None) for name in _NOT_THE_CASSETTES}
        if "path" not in options:
            raise TypeError(
                "use_cassette() needs a path as a context manager; only where it decorates a function can it be named "
                "after that"
            )
        if own["path_transformer"]:
            options["path"] = own["path_transformer"](options["path"])
        cassette = self.cls.load(**options)
        with ExitStack() as stack:
            stack.enter_context(ownership.ensured())
            lent = lending.lend(cassette)
            stack.callback(lending.back, lent)
            self._undo = stack.pop_all()
        self._cassette = cassette
        return cassette

    def __exit__(self, *exc_info: object) -> None:
        undo, cassette = self._undo, self._cassette
        if undo is None:
            return
        self._undo = self._cassette = None
        try:
            undo.close()
        finally:
            cassette.is_over = self._args_getter().get("record_on_exception", True) or not any(exc_info)
            if cassette.is_over:
                cassette._save()  # noqa: SLF001 - VCR.py's own name for it

    def __call__(self, function: Any) -> Any:
        """Decorate a function: each call of it has a cassette, named after the function if it has no path."""
        if inspect.isclass(function):
            return _decorated_class(self, function)
        if isinstance(function, classmethod | staticmethod):
            return type(function)(self(function.__func__))
        over = next(over for holds, over in _KINDS if holds(function))
        wrapper: Any = functools.wraps(function)(over(self._for, function))
        if _injects(self):
            parameters = list(inspect.signature(function).parameters.values())
            del parameters[_place(function) : _place(function) + 1]
            wrapper.__signature__ = inspect.Signature(parameters)
        return wrapper

    @staticmethod
    def get_function_name(function: Any) -> str:
        """Return the name of a function, after which its cassette is named."""
        return str(function.__name__)

    def _for(self, function: Any) -> CassetteContextDecorator:
        def options() -> dict[str, Any]:
            found = self._args_getter()
            if "path" not in found:
                found["path"] = (found.get("func_path_generator") or self.get_function_name)(function)
            return found

        return type(self)(self.cls, options)


def _over_stream(use: Use, function: Any) -> Any:
    async def over(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        with use(function) as cassette:
            async for each in function(*_with(cassette, function, args), **kwargs):
                yield each

    return over


def _over_task(use: Use, function: Any) -> Any:
    async def over(*args: Any, **kwargs: Any) -> Any:
        with use(function) as cassette:
            return await function(*_with(cassette, function, args), **kwargs)

    return over


def _over_generator(use: Use, function: Any) -> Any:
    def over(*args: Any, **kwargs: Any) -> Any:
        with use(function) as cassette:
            return (yield from function(*_with(cassette, function, args), **kwargs))

    return over


def _over_call(use: Use, function: Any) -> Any:
    def over(*args: Any, **kwargs: Any) -> Any:
        with use(function) as cassette:
            return function(*_with(cassette, function, args), **kwargs)

    return over


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Use, Any], Any]], ...] = (
    (inspect.isasyncgenfunction, _over_stream),
    (inspect.iscoroutinefunction, _over_task),
    (inspect.isgeneratorfunction, _over_generator),
    (lambda _: True, _over_call),
)
"""How a function of each kind is decorated."""


def _with(cassette: Any, function: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a function with the cassette where it is to be given: first, in a method behind self."""
    place = _place(function)
    return (*args[:place], cassette, *args[place:]) if cassette.inject else args


def _place(function: Any) -> int:
    first = next(iter(inspect.signature(function).parameters), "")
    return int(first in {"self", "cls"})


def _injects(used: CassetteContextDecorator) -> bool:
    try:
        return bool(used._args_getter().get("inject"))  # noqa: SLF001 - one thing in two functions
    except (KeyError, TypeError, ValueError):  # something is registered later, before the function is called
        return False


def _decorated_class(used: CassetteContextDecorator, cls: type) -> type:
    """Decorate the test methods of a class."""
    for name, value in list(vars(cls).items()):
        if name.startswith("test") and inspect.isfunction(value):
            setattr(cls, name, used(value))
    return cls
