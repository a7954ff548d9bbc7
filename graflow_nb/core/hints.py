"""Whether a value is what a type hint says, and where inside it is not."""

from __future__ import annotations

import collections
import inspect
import sys
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from graflow_nb.core.errors import did_you_mean

_WRAPPERS = {"Required", "NotRequired", "ReadOnly", "Final"}
_NUMBERS: Mapping[type, tuple[type, ...]] = {int: (int,), float: (int, float), complex: (int, float, complex)}
_KNOWN_MODULES = {"builtins", "collections", "collections.abc"}
_LONGEST = 30  # characters of a value that a message shows


class Mismatch(NamedTuple):
    """Where a value is not what a hint says.

    Attributes
    ----------
    path : str
        Where inside, as it would be written: ``[2]``, ``['rate']``, ``.rate``; "" for the value itself.
    text : str
        What was expected there, and what was found.
    """

    path: str
    text: str

    def inside(self, path: str) -> Mismatch:
        """Return the same, seen from outside."""
        return Mismatch(path + self.path, self.text)


def fields_of(schema: Any) -> dict[str, Any] | None:
    """Return the types of a TypedDict's, dataclass's or pydantic model's fields; None if it is none of these.

    Raises
    ------
    TypeError
        If they name something that is not there.
    """
    if not isinstance(schema, type):
        return None
    if is_pydantic(schema):
        model: Any = schema
        return {name: field.annotation for name, field in model.model_fields.items()}
    if not (_is_typed_dict(schema) or is_dataclass(schema)):
        return None
    try:
        hints = get_type_hints(schema, include_extras=True)
    except (NameError, AttributeError) as error:
        raise TypeError(
            f"the types of {schema.__name__} cannot be read ({error}): define what they name "
            f"at the top of its module or in a cell"
        ) from None
    if is_dataclass(schema):
        return {field.name: hints[field.name] for field in dataclass_fields(schema)}
    return hints


def is_pydantic(schema: type) -> bool:
    """Whether it is a pydantic model; where pydantic is not loaded, nothing is."""
    pydantic: Any = sys.modules.get("pydantic")
    base = getattr(pydantic, "BaseModel", None)
    return isinstance(base, type) and issubclass(schema, base) and hasattr(schema, "model_fields")


def shown(hint: Any) -> str:
    """Write a hint as in code.

    >>> shown(list[int]), shown(int | None), shown(None)
    ('list[int]', 'int | None', 'None')
    """
    if hint is None or hint is type(None):
        return "None"
    return hint.__name__ if isinstance(hint, type) else inspect.formatannotation(hint)


def bare(hint: Any) -> Any:
    """Return a hint without what says nothing of the value's type.

    >>> from typing import Annotated, NotRequired
    >>> bare(NotRequired[Annotated[int, "metres"]])
    <class 'int'>
    """
    while True:
        if _is_wrapped(hint):
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif isinstance(hint, TypeVar):
            hint = hint.__bound__ or Union[hint.__constraints__ or (Any,)]  # noqa: UP007 - made, not written
        elif type(hint).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12 on
            hint = hint.__value__
        else:
            return type(None) if hint is None else hint


def item_types(hint: Any) -> list[Any]:
    """Return of what type the items of a list of this type may be; nothing if it is no list.

    >>> item_types(list[int] | None), item_types(list), item_types(str)
    ([<class 'int'>], [typing.Any], [])
    """
    hint = bare(hint)
    if is_union(hint):
        return [item for member in get_args(hint) for item in item_types(member)]
    if hint in {Any, object}:
        return [Any]
    origin = get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(list, origin):
        return [*get_args(hint)] or [Any]
    return []


def is_union(hint: Any) -> bool:
    """Whether a hint is of one type or another."""
    return get_origin(hint) in {Union, types.UnionType}


def mismatch(value: Any, hint: Any) -> Mismatch | None:
    """Return where a value is not what a hint says; None if it is, or if that cannot be told.

    A bool is no int here, and an int will do for a float.

    Examples
    --------
    >>> mismatch([1, 2, "3"], list[int])
    Mismatch(path='[2]', text='expected int, found str')
    """
    return _Check().find(value, hint)


class _Check:
    """One search; it remembers what it is inside of, for values that hold themselves."""

    def __init__(self) -> None:
        self._inside: set[tuple[int, int]] = set()

    def find(self, value: Any, hint: Any) -> Mismatch | None:
        hint = bare(hint)
        if hint is Any or hint is object:
            return None
        mark = id(value), id(hint)
        if mark in self._inside:
            return None
        self._inside.add(mark)
        try:
            if isinstance(hint, type):
                return self._of_class(value, hint)
            return self._of_form(value, hint, get_origin(hint), get_args(hint))
        finally:
            self._inside.discard(mark)

    def _of_class(self, value: Any, kind: type) -> Mismatch | None:
        if _is_typed_dict(kind):
            return self._of_typed_dict(value, kind)
        if not _is_a(value, kind):
            return _other(value, kind)
        return self._of_dataclass(value, kind) if is_dataclass(kind) else None

    def _of_form(self, value: Any, hint: Any, origin: Any, args: tuple[Any, ...]) -> Mismatch | None:
        if is_union(hint):
            return self._of_union(value, hint, args)
        if origin is Literal:
            is_one = any(type(value) is type(one) and value == one for one in args)
            return None if is_one else Mismatch("", f"expected one of {_list(args)}, found {_short(value)}")
        if origin is type:
            is_one = isinstance(value, type) and _is_subclass(value, bare(args[0]))
            return None if is_one else _other(value, hint)
        if not isinstance(origin, type):
            return None  # a form that says nothing that can be checked
        return self._of_items_of(value, origin, args) if isinstance(value, origin) else _other(value, hint)

    def _of_items_of(self, value: Any, origin: type, args: tuple[Any, ...]) -> Mismatch | None:
        if origin is tuple:
            return self._of_tuple(value, args)
        if origin.__module__ not in _KNOWN_MODULES or issubclass(origin, Callable):  # type: ignore[arg-type]
            return None
        if issubclass(origin, Mapping):
            keys, values = args if origin is not collections.Counter else (args[0], int)
            return self._of_mapping(value, keys, values)
        return self._of_items(value, args[0]) if len(args) == 1 and isinstance(value, Collection) else None

    def _of_union(self, value: Any, hint: Any, args: tuple[Any, ...]) -> Mismatch | None:
        found = [self.find(value, member) for member in args]
        if None in found:
            return None
        deeper = [one for one in found if one is not None and one.path]
        return deeper[0] if len(deeper) == 1 else _other(value, hint)

    def _of_tuple(self, value: tuple[Any, ...], args: tuple[Any, ...]) -> Mismatch | None:
        if len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004 - tuple[int, ...]
            return self._of_items(value, args[0])
        if len(value) != len(args):
            return Mismatch("", f"expected a tuple of {len(args)}, found one of {len(value)}")
        found = (self.find(item, arg) for item, arg in zip(value, args, strict=True))
        return next((one.inside(f"[{n}]") for n, one in enumerate(found) if one), None)

    def _of_items(self, value: Collection[Any], hint: Any) -> Mismatch | None:
        wrong = _wrong_types(value, hint)
        if wrong is not None and not wrong:
            return None
        for n, item in enumerate(value):
            if (wrong is None or type(item) in wrong) and (found := self.find(item, hint)):
                return found.inside(f"[{n}]" if isinstance(value, Sequence) else f" item {_short(item)}")
        return None

    def _of_mapping(self, value: Mapping[Any, Any], keys: Any, values: Any) -> Mismatch | None:
        for key, item in value.items():
            if found := self.find(key, keys):
                return found.inside(f" key {_short(key)}")
            if found := self.find(item, values):
                return found.inside(f"[{_short(key)}]")
        return None

    def _of_typed_dict(self, value: Any, kind: Any) -> Mismatch | None:
        if not isinstance(value, dict):
            return _other(value, kind)
        hints = fields_of(kind) or {}
        for name, hint in hints.items():
            if name in value:
                if found := self.find(value[name], hint):
                    return found.inside(f"[{name!r}]")
            elif _is_required(kind, name, hint):
                return Mismatch(f"[{name!r}]", f"expected {shown(bare(hint))}, found nothing")
        for name in value:
            if name not in hints:
                hint = did_you_mean(str(name), hints)
                return Mismatch(f"[{_short(name)}]", f"{kind.__name__} has no such key. {hint}")
        return None

    def _of_dataclass(self, value: Any, kind: type) -> Mismatch | None:
        try:
            hints = fields_of(kind) or {}
        except TypeError:  # some library's own, whose types are not all there
            return None
        for name, hint in hints.items():
            if hasattr(value, name) and (found := self.find(getattr(value, name), hint)):
                return found.inside(f".{name}")
        return None


def _is_a(value: Any, kind: type) -> bool:
    if kind in _NUMBERS:
        return isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool)
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that says nothing at run time
        return True


def _is_subclass(value: type, kind: Any) -> bool:
    members = get_args(kind) if is_union(kind) else (kind,)
    return any(member is Any or not isinstance(member, type) or issubclass(value, member) for member in members)


def _wrong_types(items: Collection[Any], hint: Any) -> set[type] | None:
    """Return the types of items that are not of the hint's; None if the type alone does not tell.

    Long lists have many items, and few types.
    """
    hint = bare(hint)
    if hint is Any or hint is object:
        return set()
    members = [bare(member) for member in get_args(hint)] if is_union(hint) else [hint]
    if any(type(member) is not type or is_dataclass(member) for member in members):
        return None
    return {kind for kind in set(map(type, items)) if not any(_may_be(kind, member) for member in members)}


def _may_be(kind: type, member: type) -> bool:
    if member in _NUMBERS:
        return issubclass(kind, _NUMBERS[member]) and not issubclass(kind, bool)
    return issubclass(kind, member)


def _is_typed_dict(kind: type) -> bool:
    return issubclass(kind, dict) and hasattr(kind, "__required_keys__")  # those of typing_extensions too


def _is_wrapped(hint: Any) -> bool:
    origin = get_origin(hint)
    return origin is Annotated or getattr(origin, "_name", None) in _WRAPPERS


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    while _is_wrapped(hint):
        word: str | None = getattr(get_origin(hint), "_name", None)
        if word in {"Required", "NotRequired"}:
            return word == "Required"
        hint = get_args(hint)[0]
    required: frozenset[str] = kind.__required_keys__
    return name in required


def _other(value: Any, hint: Any) -> Mismatch:
    cure = f": {hint.__name__}(value) makes one" if _is_foreign_number(value, hint) else ""
    return Mismatch("", f"expected {shown(hint)}, found {'None' if value is None else type(value).__name__}{cure}")


def _is_foreign_number(value: Any, hint: Any) -> bool:
    """Whether a value is a number of another library, of the same kind."""
    kind = {int: Integral, float: Real}.get(hint) if isinstance(hint, type) else None
    return kind is not None and isinstance(value, kind) and not isinstance(value, int | float)


def _list(values: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, values))


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = type(value).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
