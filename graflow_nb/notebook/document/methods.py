# ruff: noqa: SIM905 - words are easier to read without quotes
"""What calls are known to leave alone: methods of tables and arrays, functions of well-known libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAFE = frozenset(
    """
abs add agg aggregate all any apply applymap argmax argmin argsort asfreq asof assign astype at_time
between bfill bool capitalize casefold ceil center clip collect columns combine combine_first compare
contains copy corr corrwith cos count cov cross cummax cummin cumprod cumsum date day days decode describe
diagonal diff difference div divide dot drop drop_duplicates dropna dt duplicated encode endswith eq equals
eval ewm exists exp expanding explode expandtabs extract extractall fillna filter find findall first
flatten floor floordiv format format_map from_dict ge get get_dummies get_feature_names_out get_group
get_params group_by groupby gt head hist hour idxmax idxmin iloc index infer_objects info insert_none
intersection interpolate is_dir is_file isalpha isdigit isin isna isnull issubset issuperset item items
iterrows itertuples join keys kurt last le len ljust loc log lower lstrip lt map mask match max mean median
melt memory_usage merge min minute mod mode month most_common mul multiply ne nlargest normalize notna
notnull nsmallest ngroups nonzero nunique partition pct_change pipe pivot pivot_table plot pow
predict predict_log_proba predict_proba prod product quantile query rank ravel read_bytes read_text
reduce reindex rename rename_axis removeprefix removesuffix reorder_levels repeat replace resample
reset_index reshape rjust rfind rolling round rstrip sample score searchsorted select select_dtypes sem
set_axis set_index shape shift size skew slice sort_index sort_values split splitlines squeeze stack
startswith std stem str strftime strip strptime sub subtract sum suffix swapaxes swaplevel symmetric_difference
tail take title to_csv to_dict to_excel to_feather to_frame to_html to_json to_latex to_list to_markdown
to_numpy to_parquet to_pickle to_records to_string tolist total_seconds trace transform translate transpose
truncate tz_convert tz_localize union unique unstack upper value_counts values var view weekday where
with_columns with_name with_suffix xs year zfill glob iterdir relative_to resolve absolute as_posix
is_absolute isoformat date time timestamp quarter weekofyear dayofweek hex conj real imag cv_results_
inverse_transform decision_function summary params pvalues rsquared conf_int bar barh box area kde line pie
scatter boxplot
""".split()
)
"""Methods that answer and change nothing, unless ``inplace=True`` stands there."""

_TAKES = frozenset(
    """
fit fit_transform fit_predict partial_fit transform append extend add insert update remove discard pop popitem
setdefault clear sort reverse write writelines put set text annotate legend axhline axvline fill_between
appendleft extendleft push register load_state_dict
""".split()
)
"""Methods that change their own object, and leave what they are given alone."""
_PURE = (
    "numpy pandas math cmath statistics scipy matplotlib seaborn plotly altair json re os sys itertools "
    "collections datetime time calendar pathlib glob string functools operator copy decimal fractions textwrap "
    "csv io urllib hashlib base64 uuid platform zoneinfo typing dataclasses enum warnings polars sklearn "
    "statsmodels IPython graflow_nb tqdm pprint"
).split()
_CHANGES = frozenset(
    "shuffle put copyto fill_diagonal place putmask heappush heappop heapify insort appendleft".split()
)
_SETTINGS = frozenset(
    "seed use rc rcdefaults style context filterwarnings simplefilter warn environ path basicConfig manual_seed "
    "chdir makedirs mkdir putenv setlocale update register ion ioff setcontext getcontext switch_backend".split()
)
_OWN_DICE = frozenset("default_rng RandomState Generator SeedSequence Random SystemRandom PCG64".split())


def is_safe_method(name: str) -> bool:
    """Whether a method of this name answers, and changes nothing."""
    return name in _SAFE


def may_change_arguments(name: str) -> bool:
    """Whether a method of this name may change what it is given, and not only its own object."""
    return name not in _SAFE | _TAKES and not name.startswith(("set_", "add_"))


def is_pure_module(module: str, path: Sequence[str]) -> bool:
    """Whether what is called in a module leaves its arguments alone."""
    called = path[-1] if path else module.rpartition(".")[2]
    return module.partition(".")[0] in _PURE and called not in _CHANGES


def is_setting(module: str, path: Sequence[str]) -> bool:
    """Whether what is called changes how its module works from now on."""
    return bool(module) and any(word in _SETTINGS or word.startswith(("set_", "reset_")) for word in path)


def uses_dice(module: str, path: Sequence[str]) -> bool:
    """Whether a call in a module uses the state of a global random generator.

    >>> uses_dice("numpy", ["random", "rand"]), uses_dice("numpy", ["random", "default_rng"])
    (True, False)
    """
    full = [*module.split("."), *path]
    if full[-1] in _OWN_DICE or any(word in _OWN_DICE for word in full):
        return False
    return full[0] == "random" or full[:2] == ["numpy", "random"] or full[-1] == "manual_seed"
