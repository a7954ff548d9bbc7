"""Changes of files and folders."""

from __future__ import annotations

import os
import sqlite3
import zipfile
from pathlib import Path

from traps.trap import Trap, grouped, keep_time


def _database(value: int):
    def write(path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute("create table if not exists t (x)")
        connection.execute("delete from t")
        connection.execute("insert into t values (?)", (value,))
        connection.commit()
        connection.close()

    return write


def _array(value: int):
    def write(path: Path) -> None:
        import numpy as np

        np.save(path, np.array([value]))

    return write


def _zip(value: str):
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", value)

    return write


def _pickle(value: int):
    def write(path: Path) -> None:
        import pandas as pd

        pd.DataFrame({"x": [value]}).to_pickle(path)

    return write


def _replace(folder: Path) -> None:
    (folder / "new.txt").write_text("two")
    os.utime(folder / "new.txt", (1_000_000_000, 1_000_000_000))
    (folder / "new.txt").replace(folder / "a.txt")


def _file(
    name: str, read: str, before="one", after="two", path: str = "a.txt", setup: str = "pass", **others
) -> Trap:
    cells = f"{setup}\n# %%\n@task\ndef target():\n    {read}"
    return Trap(name=name, cells=cells, files={path: before}, edits={path: after}, **others)


FILES = grouped(
    "files",
    _file("open()", "with open('a.txt') as f:\n        return f.read()"),
    _file("computed path", "with open('A.TXT'.lower()) as f:\n        return f.read()"),
    _file(
        "path from a global",
        "with open(PATH) as f:\n        return f.read()",
        setup="PATH = 'a.txt'",
    ),
    _file(
        "path made by a helper",
        "with open(where('a')) as f:\n        return f.read()",
        setup="def where(name):\n    return name + '.txt'",
    ),
    _file(
        "Path.read_text",
        "return (HERE / 'a.txt').read_text()",
        setup="from pathlib import Path\nHERE = Path('.')",
    ),
    _file(
        "os.open",
        "fd = os.open('A.TXT'.lower(), os.O_RDONLY)\n    text = os.read(fd, 9)\n    os.close(fd)\n    return text",
        setup="import os",
    ),
    _file(
        "pandas.read_csv",
        "return pd.read_csv('a.csv')['x'].tolist()",
        "x\n1\n",
        "x\n2\n",
        "a.csv",
        "import pandas as pd",
    ),
    _file(
        "pandas.read_csv, path from a global dict",
        "return pd.read_csv(CONFIG['in'])['x'].tolist()",
        "x\n1\n",
        "x\n2\n",
        "d/a.csv",
        "import pandas as pd\nCONFIG = {'in': 'd/a.csv'}",
    ),
    _file(
        "pandas.read_pickle",
        "return pd.read_pickle('A.PKL'.lower())['x'].tolist()",
        _pickle(1),
        _pickle(2),
        "a.pkl",
        "import pandas as pd",
    ),
    _file("np.load", "return np.load('a.npy').tolist()", _array(1), _array(2), "a.npy", "import numpy as np"),
    _file(
        "np.load, mapped into memory",
        "return np.load('A.NPY'.lower(), mmap_mode='r').tolist()",
        _array(1),
        _array(2),
        "a.npy",
        "import numpy as np",
    ),
    _file("np.loadtxt", "return np.loadtxt('A.TXT'.lower()).tolist()", "1", "2", setup="import numpy as np"),
    _file(
        "json.load",
        "with open('a.json') as f:\n        return json.load(f)",
        "[1]",
        "[2]",
        "a.json",
        "import json",
    ),
    _file(
        "sqlite database",
        "c = sqlite3.connect('A.DB'.lower())\n    rows = c.execute('select x from t').fetchall()\n    c.close()\n    return rows",
        _database(1),
        _database(2),
        "a.db",
        "import sqlite3",
    ),
    _file(
        "zip archive",
        "with zipfile.ZipFile('a.zip') as z:\n        return z.read('a.txt')",
        _zip("one"),
        _zip("two"),
        "a.zip",
        "import zipfile",
    ),
    _file(
        "linecache",
        "linecache.checkcache()\n    return linecache.getline('A.TXT'.lower(), 1)",
        setup="import linecache",
    ),
    Trap(
        name="path as an argument's default",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="@task\ndef target(path='a.txt'):\n    with open(path) as f:\n        return f.read()",
    ),
    _file(
        "same size and same time",
        "with open('A.TXT'.lower()) as f:\n        return f.read()",
        keep_time("one"),
        keep_time("two"),
    ),
    Trap(
        name="replaced by another file, same size and same time",
        files={"a.txt": keep_time("one")},
        meanwhile=_replace,
        cells="@task\ndef target():\n    with open('A.TXT'.lower()) as f:\n        return f.read()",
    ),
    Trap(
        name="overwritten by the task that read it",
        files={"a.txt": "one"},
        cells="@task\ndef target():\n    with open('A.TXT'.lower()) as f:\n        text = f.read()\n"
        "    with open('A.TXT'.lower(), 'w') as f:\n        f.write('two')\n    return text",
    ),
    Trap(
        name="changed, run, and changed back",
        files={"a.txt": "one"},
        then_files={"a.txt": "two"},
        edits={"a.txt": "one"},
        cells="@task\ndef target():\n    with open('A.TXT'.lower()) as f:\n        return f.read()",
        differs=False,
    ),
    Trap(
        name="path given by the task before",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="@task\ndef data():\n    return 'a.txt'\n# %%\n@task\ndef target(data):\n    with open(data) as f:\n        return f.read()",
    ),
    Trap(
        name="Path given by the task before, in a dict",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="from pathlib import Path\n# %%\n@task\ndef data():\n    return {'in': Path('a.txt')}\n# %%\n"
        "@task\ndef target(data):\n    return data['in'].read_text()",
    ),
    Trap(
        name="path in a dataclass, in a global",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="from dataclasses import dataclass\n@dataclass\nclass Config:\n    path: str\nCONFIG = Config('a.txt')\n# %%\n"
        "@task\ndef target():\n    with open(CONFIG.path) as f:\n        return f.read()",
    ),
    Trap(
        name="link that points elsewhere",
        files={"a.txt": "one", "b.txt": "two", "link": lambda path: path.symlink_to("a.txt")},
        meanwhile=lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("b.txt")),
        cells="@task\ndef target():\n    with open('LINK'.lower()) as f:\n        return f.read()",
    ),
    Trap(
        name="file that was not there",
        edits={"a.txt": "one"},
        cells="@task\ndef target():\n    try:\n        with open('A.TXT'.lower()) as f:\n            return f.read()\n"
        "    except FileNotFoundError:\n        return 'none'",
    ),
    Trap(
        name="file that is gone",
        files={"a.txt": "one"},
        edits={"a.txt": None},
        cells="@task\ndef target():\n    try:\n        with open('A.TXT'.lower()) as f:\n            return f.read()\n"
        "    except FileNotFoundError:\n        return 'none'",
    ),
    Trap(
        name="os.path.exists of a literal",
        edits={"a.txt": "one"},
        cells="import os\n# %%\n@task\ndef target():\n    return os.path.exists('a.txt')",
    ),
    Trap(
        name="os.listdir",
        files={"d/a": "1"},
        edits={"d/b": "1"},
        cells="import os\n# %%\n@task\ndef target():\n    return sorted(os.listdir('d'))",
    ),
    Trap(
        name="glob: a new file",
        files={"d/a.csv": "1"},
        edits={"d/b.csv": "2"},
        cells="import glob\n# %%\n@task\ndef target():\n    return sorted(glob.glob('d/*.csv'))",
    ),
    Trap(
        name="Path.glob: a file gone",
        files={"d/a.csv": "1", "d/b.csv": "2"},
        edits={"d/b.csv": None},
        cells="from pathlib import Path\n# %%\n@task\ndef target():\n    return sorted(p.name for p in Path('d').glob('*.csv'))",
    ),
    Trap(
        name="Path.rglob: a new file deep down",
        files={"d/e/a.csv": "1"},
        edits={"d/e/b.csv": "2"},
        cells="from pathlib import Path\n# %%\n@task\ndef target():\n    return sorted(p.name for p in Path('d').rglob('*.csv'))",
    ),
    Trap(
        name="os.walk: a file renamed",
        files={"d/e/a.csv": "1"},
        meanwhile=lambda folder: (folder / "d/e/a.csv").rename(folder / "d/e/b.csv"),
        cells="import os\n# %%\n@task\ndef target():\n    return [sorted(files) for _, _, files in os.walk('d')]",
    ),
    Trap(
        name="file read by a thread of the task",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="import threading\n# %%\n@task\ndef target():\n    out = []\n"
        "    def read():\n        with open('A.TXT'.lower()) as f:\n            out.append(f.read())\n"
        "    t = threading.Thread(target=read)\n    t.start()\n    t.join()\n    return out",
    ),
    Trap(
        name="file read by a pool of threads of the task",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="from concurrent.futures import ThreadPoolExecutor\ndef read(path):\n    with open(path) as f:\n        return f.read()\n# %%\n"
        "@task\ndef target():\n    with ThreadPoolExecutor(2) as pool:\n        return list(pool.map(read, ['A.TXT'.lower()]))",
    ),
    Trap(
        name="file read by a subprocess",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="import subprocess\n# %%\n@task\ndef target():\n    return subprocess.run(['cat', 'A.TXT'.lower()], capture_output=True, text=True).stdout",
    ),
    Trap(
        name="declared as inputs=",
        files={"a.txt": "one"},
        edits={"a.txt": "two"},
        cells="import subprocess\n# %%\n@task(inputs=['a.txt'])\ndef target():\n"
        "    return subprocess.run(['cat', 'A.TXT'.lower()], capture_output=True, text=True).stdout",
    ),
    Trap(
        name="output that was deleted, by a computed path",
        cells="@task\ndef target():\n    with open('OUT.TXT'.lower(), 'w') as f:\n        f.write('made')\n    return 'made'",
        edits={"out.txt": None},
        differs=False,
        runs=True,
    ),
    Trap(
        name="output that was deleted",
        cells="@task\ndef target():\n    with open('out.txt', 'w') as f:\n        f.write('made')\n    return 'made'",
        edits={"out.txt": None},
        differs=False,
        runs=True,
    ),
    Trap(
        name="output that a later task reads, deleted",
        cells="@task\ndef data():\n    with open('out.txt', 'w') as f:\n        f.write('made')\n    return 'out.txt'\n# %%\n"
        "@task\ndef target(data):\n    with open(data) as f:\n        return f.read()",
        meanwhile=lambda folder: (folder / "out.txt").unlink(),
        differs=False,
    ),
    Trap(
        name="folder as a literal, read by a native reader",
        files={"d/a": "1"},
        edits={"d/a": "2"},
        cells="import os, subprocess\n# %%\n@task\ndef target():\n    return subprocess.run('cat d/*', shell=True, capture_output=True).stdout",
    ),
    Trap(
        name="current folder",
        files={"x/a.txt": "one", "y/a.txt": "two"},
        cells="import os\nos.chdir('x')\n# %%\n@task\ndef target():\n    with open('a.txt') as f:\n        return f.read()",
        edit=("chdir('x')", "chdir(os.path.join(os.pardir, 'y') if os.path.exists('../y') else 'y')"),
    ),
    Trap(
        name="configuration by configparser",
        files={"a.ini": "[a]\nk = 1\n"},
        edits={"a.ini": "[a]\nk = 2\n"},
        cells="import configparser\n# %%\n@task\ndef target():\n    c = configparser.ConfigParser()\n    c.read('a.ini')\n    return c['a']['k']",
    ),
)
