"""What all tests share: Hypothesis profiles, the browser, and a Redis with workers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import processes
from hypothesis import settings
from reading import Write, new_project
from redis_servers import SECRET, Server, Workers, serving
from shells import Notebook, new_notebook

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if IN_CI else "default")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives a real Chromium, by `chromium_path`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the browser, and run it last: the quick tests speak first."""
    for item in items:
        if "chromium_path" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A folder with modules of one's own; call it to write and import, or to write and reload."""
    yield from new_project(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Return the browser's path; without one, skip, or fail in CI, where a skipped test would go unseen."""
    for path in filter(None, map(shutil.which, BROWSERS)):
        return path
    absent = f"NO CHROMIUM, so NOT TESTED in a browser: none of {', '.join(BROWSERS)} is on the PATH"
    if IN_CI:
        pytest.fail(absent)
    pytest.skip(absent)


@pytest.fixture(scope="session")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a Dask scheduler with two workers, each a process of its own."""
    pytest.importorskip("distributed")
    with processes(tmp_path_factory.mktemp("dask")) as there:
        yield there.address
        from graflow_nb.backends.dask.cluster import close_all

        close_all()


@pytest.fixture
def nb() -> Iterator[Notebook]:
    """A notebook in this process, with the extension loaded."""
    with new_notebook() as notebook:
        yield notebook


@pytest.fixture(scope="session")
def redis_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Workers]]:
    """A Redis with two workers, for all tests."""
    with serving(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture
def redis_workers(
    redis_session: tuple[Server, Workers], monkeypatch: pytest.MonkeyPatch
) -> tuple[Server, Workers]:
    """Let ``backend="redis"`` mean that one."""
    monkeypatch.setenv("GRAFLOW_NB_REDIS_URL", redis_session[0].url)
    monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
    return redis_session
