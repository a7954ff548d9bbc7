"""Content hashes of values: equal content, equal fingerprint, in any process.

Everything is type-tagged and length-prefixed, so that no two different structures are fed alike. A value
whose content cannot be known (a connection, a generator) has no fingerprint: `Opaque` is raised, never a
constant returned. Objects are taken apart as pickle would, by `__reduce_ex__`, but without pickle's
dependence on identity and order. Numbers count bit by bit: ``0.0`` and ``-0.0`` differ, and so may two NaN.

Types of your own say what stands for their content, if the general way is too slow, or takes in what does
not matter: by a method `__graflow_fingerprint__`, or from outside by `fingerprint.register`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from graflow_nb.incremental import values as _values  # noqa: F401 - registers the handlers
from graflow_nb.incremental.hasher import Hasher, Opaque, feed_substitute, load, register, register_lazy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fingerprint", "Hasher", "Opaque", "fingerprint", "measured", "register", "register_lazy"]

_Content = TypeVar("_Content", bound="Callable[[Any], Any]")


class Fingerprint:
    """Return the content hash of a value, 16 bytes.

    Parameters
    ----------
    value : object

    Raises
    ------
    Opaque
        If its content cannot be known.

    Examples
    --------
    >>> fingerprint([1, 2]) == fingerprint([1, 2]), fingerprint(1) == fingerprint(True)
    (True, False)
    >>> fingerprint(n for n in [1, 2])
    Traceback (most recent call last):
        ...
    graflow_nb.incremental.hasher.Opaque: generator

    A class says what counts; its code counts as well:

    >>> class Model:
    ...     def __init__(self, weights): self.weights, self.log = weights, open
    ...     def __graflow_fingerprint__(self): return self.weights
    >>> fingerprint(Model([1])) == fingerprint(Model([1])), fingerprint(Model([1])) == fingerprint(Model([2]))
    (True, False)
    """

    def __call__(self, value: Any) -> bytes:
        return _fed(value).digest()

    def register(self, *kinds: type) -> Callable[[_Content], _Content]:
        """Say what stands for the content of values of these types, and of types derived from them.

        Parameters
        ----------
        *kinds : type

        Returns
        -------
        callable
            A decorator for a function that takes a value and returns any other, which is hashed in its place.
            If it raises, the value has no fingerprint.

        Examples
        --------
        >>> class Money:
        ...     def __init__(self, cents): self.cents, self.counted = cents, object()
        >>> @fingerprint.register(Money)
        ... def content(money):
        ...     return money.cents
        >>> fingerprint(Money(5)) == fingerprint(Money(5)), fingerprint(Money(5)) == fingerprint(5)
        (True, False)
        """

        def decorate(content: _Content) -> _Content:
            for kind in kinds:
                load(kind)  # else what the package does itself would come later, and win
            register(*kinds)(lambda hasher, value: feed_substitute(hasher, value, content))
            return content

        return decorate


fingerprint = Fingerprint()


def measured(value: Any) -> tuple[bytes, int]:
    """Return the content hash of a value, and about how many bytes it takes.

    Raises
    ------
    Opaque
        If its content cannot be known.

    Examples
    --------
    >>> measured(b"x" * 1000)[1] > 1000
    True
    """
    hasher = _fed(value)
    return hasher.digest(), hasher.nbytes


def _fed(value: Any) -> Hasher:
    hasher = Hasher()
    try:
        hasher.value(value)
    except Opaque:
        raise
    except RecursionError:
        raise Opaque(value, "nested too deep") from None
    except Exception as error:  # taking it apart failed: then nothing is known of it
        raise Opaque(value, f"{type(error).__name__}: {error}") from None
    return hasher
