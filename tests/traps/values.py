"""Values that look alike: what a task gives changes a little, and its reader must see it."""

from __future__ import annotations

from traps.trap import Trap, grouped

NP, PD, SP = "import numpy as np", "import pandas as pd", "from scipy import sparse"
NAN = "import struct\ndef nan(bits):\n    return struct.unpack('<d', struct.pack('<Q', bits))[0]"


def _value(name: str, before: str, after: str, shown: str = "repr(data)", setup: str = "pass") -> Trap:
    cells = f"{setup}\n# %%\n@task\ndef data():\n    return {before}\n# %%\n@task\ndef target(data):\n    return {shown}"
    return Trap(name=name, cells=cells, edit=(f"return {before}\n", f"return {after}\n"))


VALUES = grouped(
    "values that look alike",
    _value("1 and True", "1", "True"),
    _value("1 and 1.0", "1", "1.0"),
    _value("1 and '1'", "1", "'1'"),
    _value("0.0 and -0.0", "0.0", "-0.0"),
    _value("1 and True in a list", "[1]", "[True]"),
    _value("1 and 1.0 as keys", "{1: 'a'}", "{1.0: 'a'}"),
    _value("text and bytes", "'a'", "b'a'"),
    _value("bytes and bytearray", "b'a'", "bytearray(b'a')"),
    _value("list and tuple", "[1, 2]", "(1, 2)"),
    _value("nesting", "[[1], [2]]", "[[1, 2]]"),
    _value("set and frozenset", "{1}", "frozenset({1})"),
    _value("content of a set", "{1, 2}", "{1, 3}"),
    _value("order of a dict", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    _value("dict and OrderedDict", "{'a': 1}", "OrderedDict(a=1)", setup="from collections import OrderedDict"),
    _value("one object twice, and two equal ones", "(lambda x: [x, x])([1])", "[[1], [1]]", "data[0] is data[1]"),
    _value("deque's length", "deque([1], 2)", "deque([1], 3)", setup="from collections import deque"),
    _value("range", "range(0, 10, 3)", "range(0, 10, 2)", "list(data)"),
    _value("slice", "slice(0, 2)", "slice(0, 3)"),
    _value("complex's sign", "complex(0, 0.0)", "complex(0, -0.0)"),
    _value("large numbers", "10**40", "10**40 + 1"),
    _value("nan and none", "float('nan')", "None"),
    _value("bits of a nan", "nan(0x7FF8000000000001)", "nan(0x7FF8000000000002)", "struct.pack('<d', data)", NAN),
    _value(
        "naive and aware time",
        "datetime(2020, 1, 1)",
        "datetime(2020, 1, 1, tzinfo=timezone.utc)",
        setup="from datetime import datetime, timezone",
    ),
    _value(
        "zone of one moment",
        "datetime(2020, 1, 1, 12, tzinfo=ZoneInfo('UTC'))",
        "datetime(2020, 1, 1, 13, tzinfo=ZoneInfo('Europe/Berlin'))",
        "data.isoformat()",
        "from datetime import datetime\nfrom zoneinfo import ZoneInfo",
    ),
    _value(
        "fold of a time",
        "datetime(2020, 10, 25, 2)",
        "datetime(2020, 10, 25, 2, fold=1)",
        setup="from datetime import datetime",
    ),
    _value(
        "date and time", "date(2020, 1, 1)", "datetime(2020, 1, 1)", setup="from datetime import date, datetime"
    ),
    _value("Decimal 1.0 and 1.00", "Decimal('1.0')", "Decimal('1.00')", setup="from decimal import Decimal"),
    _value("Fraction and number", "Fraction(1)", "1", setup="from fractions import Fraction"),
    _value("text and Path", "'a'", "PurePosixPath('a')", setup="from pathlib import PurePosixPath"),
    _value(
        "kinds of path",
        "PurePosixPath('a')",
        "PureWindowsPath('a')",
        setup="from pathlib import PurePosixPath, PureWindowsPath",
    ),
    _value(
        "nested object's attribute",
        "SimpleNamespace(a=SimpleNamespace(b=[1]))",
        "SimpleNamespace(a=SimpleNamespace(b=[2]))",
        setup="from types import SimpleNamespace",
    ),
    _value(
        "attribute added to a list's subclass",
        "make(1)",
        "make(2)",
        "data.k",
        "class L(list):\n    pass\ndef make(k):\n    x = L([1])\n    x.k = k\n    return x",
    ),
    _value("list and its subclass", "[1]", "L([1])", "type(data).__name__", "class L(list):\n    pass"),
    _value(
        "object with a lying __eq__",
        "C(1)",
        "C(2)",
        "data.k",
        "class C:\n    def __init__(self, k):\n        self.k = k\n    def __eq__(self, other):\n        return True\n"
        "    def __hash__(self):\n        return 0\n    def __repr__(self):\n        return 'C'",
    ),
    _value(
        "object with a hidden __slots__ value",
        "C(1)",
        "C(2)",
        "data.k",
        "class C:\n    __slots__ = ('k',)\n    def __init__(self, k):\n        self.k = k\n    def __repr__(self):\n        return 'C'",
    ),
    _value("exception's argument", "ValueError('a')", "ValueError('b')"),
    _value("seeded generator's state", "random.Random(1)", "random.Random(2)", "data.random()", "import random"),
    _value(
        "defaultdict's factory",
        "defaultdict(int, a=1)",
        "defaultdict(list, a=1)",
        "repr(data['z'])",
        "from collections import defaultdict",
    ),
    _value(
        "enum's members of equal value",
        "A.x",
        "B.x",
        "repr(data)",
        "import enum\nclass A(enum.IntEnum):\n    x = 1\nclass B(enum.IntEnum):\n    x = 1",
    ),
    _value("text with another composition", "'\\u00e9'", "'e\\u0301'", "len(data)"),
)

ARRAYS = grouped(
    "numpy values",
    _value("dtype", "np.array([1, 2])", "np.array([1., 2.])", "data.tolist()", NP),
    _value("byte order", "np.array([1], '<i4')", "np.array([1], '>i4')", "data.dtype.str", NP),
    _value(
        "same bytes, another dtype", "np.array([1], 'i8')", "np.array([1], 'i8').view('f8')", "data.tolist()", NP
    ),
    _value("shape", "np.zeros((2, 3))", "np.zeros((3, 2))", "data.shape", NP),
    _value(
        "memory order",
        "np.arange(6).reshape(2, 3)",
        "np.asfortranarray(np.arange(6).reshape(2, 3))",
        "data.ravel('K').tolist()",
        NP,
    ),
    _value("transposed", "np.arange(4).reshape(2, 2)", "np.arange(4).reshape(2, 2).T", "data.tolist()", NP),
    _value("one number in many", "np.zeros(300_000)", "np.eye(1, 300_000, 150_001)[0]", "float(data.sum())", NP),
    _value("0-d array and number", "np.array(1)", "1", "type(data).__name__", NP),
    _value("numpy's number and Python's", "np.float64(1)", "1.0", "type(data).__name__", NP),
    _value(
        "object array", "np.array([1, 'a'], object)", "np.array([True, 'a'], object)", "repr(data.tolist())", NP
    ),
    _value(
        "nested in an object array",
        "np.array([[1], 'a'], dtype=object)",
        "np.array([[2], 'a'], dtype=object)",
        "repr(data.tolist())",
        NP,
    ),
    _value(
        "structured array's names",
        "np.array([(1, 2)], [('a', 'i4'), ('b', 'i4')])",
        "np.array([(1, 2)], [('b', 'i4'), ('a', 'i4')])",
        "data['a'].tolist()",
        NP,
    ),
    _value(
        "masked array's mask",
        "np.ma.array([1, 2], mask=[0, 1])",
        "np.ma.array([1, 2], mask=[1, 0])",
        "data.tolist()",
        NP,
    ),
    _value(
        "masked array's fill value",
        "np.ma.array([1, 2], mask=[0, 1], fill_value=8)",
        "np.ma.array([1, 2], mask=[0, 1], fill_value=9)",
        "data.filled().tolist()",
        NP,
    ),
    _value("unit of times", "np.array([1], 'M8[s]')", "np.array([1], 'M8[D]')", "str(data[0])", NP),
    _value("-0.0", "np.array([0.0])", "np.array([-0.0])", "repr(data.tolist())", NP),
    _value(
        "generator's state", "np.random.default_rng(1)", "np.random.default_rng(2)", "float(data.random())", NP
    ),
    _value("view and its base", "np.arange(10)[::2]", "np.arange(10)[1::2]", "data.tolist()", NP),
    _value("empty arrays", "np.zeros((0, 2))", "np.zeros((0, 3))", "data.shape", NP),
    _value(
        "matrix and array",
        "np.array([[2]])",
        "np.matrix([[2]])",
        "(data[0]).ndim",
        NP + "\nimport warnings\nwarnings.simplefilter('ignore', PendingDeprecationWarning)",
    ),
    _value("strings of another width", "np.array(['a'], 'U1')", "np.array(['a'], 'U2')", "data.dtype.str", NP),
)

FRAMES = grouped(
    "pandas values",
    _value("order of columns", "pd.DataFrame({'a': [1], 'b': [2]})", "pd.DataFrame({'b': [2], 'a': [1]})", "list(data)", PD),
    _value("name of a column", "pd.DataFrame({'a': [1]})", "pd.DataFrame({'b': [1]})", "list(data)", PD),
    _value("name of the columns", "pd.DataFrame({'a': [1]})", "pd.DataFrame({'a': [1]}).rename_axis(columns='n')",
           "data.columns.name", PD),
    _value("index", "pd.DataFrame({'a': [1, 2]})", "pd.DataFrame({'a': [1, 2]}, index=[1, 0])", "data.index.tolist()", PD),
    _value("name of the index", "pd.DataFrame({'a': [1]})", "pd.DataFrame({'a': [1]}).rename_axis('n')", "data.index.name", PD),
    _value("kind of index", "pd.DataFrame({'a': [1, 2]})", "pd.DataFrame({'a': [1, 2]}, index=[0, 1])",
           "type(data.index).__name__", PD),
    _value("frequency of the index", "pd.Series([1, 2], pd.date_range('2020', periods=2))",
           "pd.Series([1, 2], pd.DatetimeIndex(['2020-01-01', '2020-01-02']))", "data.index.freqstr", PD),
    _value("zone of the index", "pd.Series([1], pd.DatetimeIndex(['2020-01-01'], tz='UTC'))",
           "pd.Series([1], pd.DatetimeIndex(['2020-01-01'], tz='UTC').tz_convert('Europe/Berlin'))", "str(data.index[0])", PD),
    _value("dtype", "pd.DataFrame({'a': [1]})", "pd.DataFrame({'a': [1]}, dtype='int32')", "str(data['a'].dtype)", PD),
    _value("nullable dtype", "pd.Series([1])", "pd.Series([1], dtype='Int64')", "str(data.dtype)", PD),
    _value("missing value's kind", "pd.Series([None, 'a'], dtype=object)", "pd.Series([float('nan'), 'a'], dtype=object)",
           "repr(data[0])", PD),
    _value("text and category", "pd.Series(['a', 'b'])", "pd.Series(['a', 'b'], dtype='category')", "str(data.dtype)", PD),
    _value("order of categories", "pd.Series(pd.Categorical(['a'], ['a', 'b']))",
           "pd.Series(pd.Categorical(['a'], ['b', 'a']))", "list(data.cat.categories)", PD),
    _value("ordered category", "pd.Series(pd.Categorical(['a'], ['a', 'b']))",
           "pd.Series(pd.Categorical(['a'], ['a', 'b'], ordered=True))", "data.cat.ordered", PD),
    _value("attrs", "pd.DataFrame({'a': [1]})", "frame()", "dict(data.attrs)",
           PD + "\ndef frame():\n    df = pd.DataFrame({'a': [1]})\n    df.attrs['unit'] = 'm'\n    return df"),
    _value("name of a series", "pd.Series([1], name='a')", "pd.Series([1], name='b')", "data.name", PD),
    _value("series and frame", "pd.Series([1], name='a')", "pd.DataFrame({'a': [1]})", "type(data).__name__", PD),
    _value("one cell in many", "pd.DataFrame({'a': range(50_000)})",
           "pd.DataFrame({'a': range(50_000)}).replace(25_000, 7)", "int(data['a'].sum())", PD),
    _value("1 and True in an object column", "pd.Series([1, 'a'], dtype=object)", "pd.Series([True, 'a'], dtype=object)",
           "repr(data[0])", PD),
    _value("list in a column", "pd.DataFrame({'a': [[1]]})", "pd.DataFrame({'a': [[2]]})", "data['a'][0]", PD),
    _value("column twice", "pd.DataFrame([[1, 2]], columns=['a', 'b'])", "pd.DataFrame([[1, 2]], columns=['a', 'a'])",
           "list(data)", PD),
    _value("names of a MultiIndex", "pd.Series([1], pd.MultiIndex.from_tuples([(1, 2)], names=['a', 'b']))",
           "pd.Series([1], pd.MultiIndex.from_tuples([(1, 2)], names=['b', 'a']))", "list(data.index.names)", PD),
    _value("subnormal difference", "pd.Series([0.1 + 0.2])", "pd.Series([0.3])", "repr(data[0])", PD),
)  # fmt: skip

SPARSE = grouped(
    "scipy values",
    _value("format", "sparse.csr_array([[0, 1]])", "sparse.csc_array([[0, 1]])", "data.format", SP),
    _value("shape", "sparse.csr_array([[0, 1]])", "sparse.csr_array([[0, 1, 0]])", "data.shape", SP),
    _value("one entry", "sparse.csr_array([[0, 1]])", "sparse.csr_array([[0, 2]])", "data.toarray().tolist()", SP),
    _value("place of an entry", "sparse.csr_array([[0, 1]])", "sparse.csr_array([[1, 0]])", "data.toarray().tolist()", SP),
    _value("stored zero", "sparse.csr_array([[1, 0]])", "sparse.csr_array(([1, 0], [0, 1], [0, 2]), shape=(1, 2))", "data.nnz", SP),
    _value("dtype", "sparse.csr_array([[0, 1]])", "sparse.csr_array([[0, 1.0]])", "str(data.dtype)", SP),
)  # fmt: skip
