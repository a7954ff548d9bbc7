"""Arrays and tables of pyarrow: how they are cut into chunks does not count, nor what lies under a null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graflow_nb.incremental.hasher import Hasher, register
from graflow_nb.incremental.values.builtin import feed_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_AT_ONCE = 1 << 17  # rows
_is = pa.types


@register(pa.Table, pa.RecordBatch)
def _table(hasher: Hasher, value: Any) -> None:
    hasher.text("arrow", type(value).__name__)
    hasher.value(value.schema)
    hasher.tag("rows", value.num_rows)
    for column in value.columns:
        feed_chunks(hasher, column)


@register(pa.Array, pa.ChunkedArray)
def _array(hasher: Hasher, value: Any) -> None:
    hasher.text("arrow", "ChunkedArray" if isinstance(value, pa.ChunkedArray) else "Array")
    feed_chunks(hasher, value)


@register(pa.Scalar)
def _scalar(hasher: Hasher, value: Any) -> None:
    hasher.text("arrow", "Scalar")
    if _is.is_nested(value.type) or not value.is_valid:
        hasher.values("nested", (value.type, value.as_py()))
    else:
        feed_chunks(hasher, pa.array([value], value.type))


@register(pa.Schema)
def _schema(hasher: Hasher, value: Any) -> None:
    hasher.text("arrow", "Schema")
    hasher.bytes("serialized", value.serialize().to_pybytes())


@register(pa.Field, pa.DataType)
def _field(hasher: Hasher, value: Any) -> None:
    is_field = isinstance(value, pa.Field)
    hasher.text("arrow", "Field" if is_field else "DataType")
    hasher.value(pa.schema([value if is_field else pa.field("", value)]))


@register(pa.Buffer)
def _buffer(hasher: Hasher, value: Any) -> None:
    hasher.bytes("arrow buffer", memoryview(value))


def feed_chunks(hasher: Hasher, value: Any) -> None:
    """Feed an array, chunked or not: its type, and its items."""
    hasher.value(value.type)
    _feed(hasher, value.chunks if isinstance(value, pa.ChunkedArray) else [value], value.type)


def _feed(hasher: Hasher, chunks: Sequence[Any], kind: Any) -> None:
    pieces = [piece for chunk in chunks for piece in _pieces(chunk)]
    hasher.tag("rows", sum(map(len, pieces)))
    if any(piece.null_count for piece in pieces):
        _feed_numbers(hasher, "nulls", (_as_bytes(piece.is_null()) for piece in pieces))
    else:
        hasher.tag("no nulls")
    if feed := next((feed for matches, feed in _FEEDS if matches(kind)), None):
        feed(hasher, pieces, kind)
    else:
        feed_items(hasher, [item for piece in pieces for item in piece.to_pylist()])


def _pieces(chunk: Any) -> list[Any]:
    return [chunk.slice(start, _AT_ONCE) for start in range(0, len(chunk), _AT_ONCE)]


def _feed_numbers(hasher: Hasher, tag: str, pieces: Iterable[Any]) -> None:
    hasher.tag(tag)
    for piece in pieces:  # the number of rows says how many there are in all
        hasher.raw(np.ascontiguousarray(piece).view(np.uint8))


def _as_bytes(piece: Any) -> Any:
    return piece.cast(pa.uint8()).to_numpy(zero_copy_only=False)


def _feed_nothing(_: Hasher, pieces: Sequence[Any], kind: Any) -> None:
    """Feed items that are all null: their number says it all."""


def _feed_bools(hasher: Hasher, pieces: Sequence[Any], _: Any) -> None:
    _feed_numbers(hasher, "bools", (_as_bytes(piece.fill_null(False)) for piece in pieces))


def _feed_fixed(hasher: Hasher, pieces: Sequence[Any], kind: Any) -> None:
    _feed_numbers(hasher, "fixed", (_fixed(piece, kind.bit_width // 8) for piece in pieces))


def _fixed(piece: Any, width: int) -> Any:
    data = np.frombuffer(piece.buffers()[1] or b"", np.uint8)[piece.offset * width :][: len(piece) * width]
    if not piece.null_count:
        return data
    items = data.reshape(len(piece), width).copy()
    items[_as_bytes(piece.is_null()).view(bool)] = 0
    return items.reshape(-1)


def _feed_texts(hasher: Hasher, pieces: Sequence[Any], kind: Any) -> None:
    plain = pa.large_string() if _is.is_string_view(kind) else pa.large_binary()
    pieces = [piece.cast(plain) if kind in _VIEWS else piece for piece in pieces]
    pieces = [
        piece.fill_null(b"" if _is_bytes(piece.type) else "") if piece.null_count else piece for piece in pieces
    ]
    offsets = [_offsets(piece) for piece in pieces]
    _feed_numbers(hasher, "lengths", (np.diff(some).astype("i8", copy=False) for some in offsets))
    hasher.tag("texts")
    for piece, some in zip(pieces, offsets, strict=True):
        data = piece.buffers()[2]
        hasher.raw(memoryview(data or b"")[some[0] : some[-1]])


def _offsets(piece: Any) -> Any:
    kind = np.int64 if _is_large(piece.type) else np.int32
    return np.frombuffer(piece.buffers()[1], kind)[piece.offset :][: len(piece) + 1]


def _feed_lists(hasher: Hasher, pieces: Sequence[Any], kind: Any) -> None:
    lengths = (pc.list_value_length(piece).fill_null(0).cast(pa.int64()).to_numpy() for piece in pieces)
    _feed_numbers(hasher, "lengths", lengths)
    _feed(hasher, [piece.flatten() for piece in pieces], kind.value_type)


def _feed_structs(hasher: Hasher, pieces: Sequence[Any], kind: Any) -> None:
    columns = [piece.flatten() for piece in pieces]
    for position in range(kind.num_fields):
        _feed(hasher, [column[position] for column in columns], kind.field(position).type)


def _feed_dictionaries(hasher: Hasher, pieces: Sequence[Any], kind: Any) -> None:
    _feed(hasher, [piece.dictionary_decode() for piece in pieces], kind.value_type)


def _feed_extension(hasher: Hasher, pieces: Sequence[Any], kind: Any) -> None:
    _feed(hasher, [piece.storage for piece in pieces], kind.storage_type)


def _is_large(kind: Any) -> bool:
    return bool(_is.is_large_string(kind) or _is.is_large_binary(kind))


def _is_bytes(kind: Any) -> bool:
    return bool(_is.is_binary(kind) or _is.is_large_binary(kind))


def _is_text(kind: Any) -> bool:
    return bool(_is.is_string(kind) or _is_large(kind) or _is_bytes(kind) or kind in _VIEWS)


def _is_fixed(kind: Any) -> bool:
    return bool(_is.is_primitive(kind) or _is.is_decimal(kind) or _is.is_fixed_size_binary(kind))


def _is_list(kind: Any) -> bool:
    return bool(_is.is_list(kind) or _is.is_large_list(kind) or _is.is_fixed_size_list(kind))


_VIEWS = (pa.string_view(), pa.binary_view())
_FEEDS: tuple[tuple[Callable[[Any], bool], Callable[[Hasher, Sequence[Any], Any], None]], ...] = (
    (_is.is_null, _feed_nothing),
    (_is.is_boolean, _feed_bools),
    (_is_text, _feed_texts),
    (_is_fixed, _feed_fixed),
    (_is_list, _feed_lists),
    (_is.is_struct, _feed_structs),
    (_is.is_dictionary, _feed_dictionaries),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _feed_extension),
)
