"""Tensors and generators of torch; modules and optimizers are taken apart like any object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from graflow_nb.incremental.hasher import Hasher, Opaque, opaque, register

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE = 1 << 20  # items of a tensor that does not lie in one piece

register(torch.jit.ScriptModule, torch.jit.ScriptFunction)(opaque)


@register(torch.Tensor)
def _tensor(hasher: Hasher, value: Any) -> None:
    if value.grad_fn is not None:
        raise Opaque(value, "it knows how it was computed; .detach() it")
    if value.is_meta or value.is_quantized or value.is_nested:
        raise Opaque(value)
    hasher.tag("torch")
    hasher.value(type(value))
    hasher.text("tensor", f"{value.dtype}{tuple(value.shape)}{value.layout}{value.device}{value.requires_grad}")
    hasher.value(dict(sorted(vars(value).items())))
    hasher.value(value.grad if value.is_leaf else None)
    with torch.no_grad():
        for part in _parts(value.detach()):
            _feed_strided(hasher, part)


def _parts(tensor: Any) -> list[Any]:
    if tensor.layout is torch.strided:
        return [tensor]
    if tensor.layout is torch.sparse_coo:
        return [tensor._indices(), tensor._values()]  # noqa: SLF001 - the public ones demand a coalesced tensor
    if tensor.layout in {torch.sparse_csr, torch.sparse_bsr}:
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in {torch.sparse_csc, torch.sparse_bsc}:
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    raise Opaque(tensor)


def _feed_strided(hasher: Hasher, tensor: Any) -> None:
    hasher.text("strided", f"{tensor.dtype}{tuple(tensor.shape)}")
    for piece in _pieces(tensor):
        flat = piece.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
        hasher.raw(flat.view(torch.uint8).numpy() if flat.numel() else b"")


def _pieces(tensor: Any) -> Iterator[Any]:
    if tensor.is_contiguous() or tensor.dim() == 0:
        yield tensor
    else:
        rows = max(1, _AT_ONCE * len(tensor) // max(1, tensor.numel()))
        yield from tensor.split(rows)


@register(torch.Generator)
def _generator(hasher: Hasher, value: Any) -> None:
    hasher.text("torch generator", str(value.device))
    hasher.value(value.get_state())


@register(torch.dtype, torch.device, torch.layout, torch.memory_format)
def _name(hasher: Hasher, value: Any) -> None:
    hasher.text("torch name", repr(value))
