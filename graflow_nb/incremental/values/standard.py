"""Times, numbers and paths of the standard library: their values cannot change."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from graflow_nb.incremental.hasher import Hasher, register
from graflow_nb.incremental.values.objects import REDUCE_PROTOCOL, feed_object


@register(dt.date, dt.datetime, dt.time, dt.timedelta, dt.timezone, Decimal, ZoneInfo, leaf=True)
def _value(hasher: Hasher, value: Any) -> None:
    hasher.values(type(value).__qualname__, value.__reduce_ex__(REDUCE_PROTOCOL)[1])


@register(PurePosixPath, PureWindowsPath, PosixPath, WindowsPath, leaf=True)
def _path(hasher: Hasher, value: PurePath) -> None:
    hasher.text(type(value).__qualname__, str(value))


register(Fraction, UUID, leaf=True)(feed_object)
