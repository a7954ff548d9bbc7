"""Notebooks as people write them: each a list of cells, text marked by "# %% [markdown]" in its first line.

Nothing in them was written with tasks in mind. They use one file, `shop.csv`, which the test writes.
"""

from __future__ import annotations

TEXT = "# %% [markdown]\n"

SHOP = "day,item,price,count\n" + "\n".join(
    f"2024-01-{1 + n % 28:02},{('tea', 'milk', 'bread')[n % 3]},{'' if n % 11 == 5 else 1 + n % 7},{n % 5}"
    for n in range(60)
)

NOTEBOOKS: dict[str, list[str]] = {
    "exploring a table": [
        f"{TEXT}# Sales of a shop",
        "import pandas as pd\nimport matplotlib.pyplot as plt\n%precision 3",
        "df = pd.read_csv('shop.csv')\ndf.head()",
        "df.info()",
        "df.isna().sum()",
        f"{TEXT}## Clean",
        "df = df.dropna()",
        "df['total'] = df['price'] * df['count']\ndf.describe()",
        "by_item = df.groupby('item')['total'].sum()\nby_item",
        "by_item.plot(kind='bar')\nplt.title('Total by item')\nplt.show()",
        "best = by_item.idxmax()\nprint('best:', best)",
    ],
    "one name for everything": [
        "import pandas as pd",
        "df = pd.read_csv('shop.csv')",
        "rows_before = len(df)",
        "df = df[df.price.notna()]",
        "rows_after = len(df)",
        "df = df.assign(total=df.price * df['count'])",
        "df = df.groupby('item', as_index=False).total.sum()",
        "x = df.total.max()",
        "x = x / df.total.sum()\nprint(f'{x:.0%}')",
    ],
    "a model": [
        "import numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import LinearRegression\nfrom sklearn.metrics import mean_absolute_error\nfrom sklearn.model_selection import train_test_split\n\nSEED = 7",
        "data = pd.read_csv('shop.csv').dropna()\nX = pd.get_dummies(data[['item', 'count']]).astype(float)\ny = data['price']",
        "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=SEED)\nX_train.shape",
        "model = LinearRegression()",
        "model.fit(X_train, y_train)",
        "pred = model.predict(X_test)\nmae = mean_absolute_error(y_test, pred)\nmae",
        "coefs = dict(zip(X.columns, model.coef_.round(6)))\ncoefs",
    ],
    "simulation with a global seed": [
        "import numpy as np\nnp.random.seed(42)",
        "n = 500\nsteps = np.random.normal(size=n)",
        "walk = steps.cumsum()",
        "noise = np.random.uniform(size=n)",
        "noisy = walk + 0.1 * noise\nfinal = noisy[-1]\nfinal",
        "import random\nrandom.seed(1)\npicks = random.sample(range(100), 5)\npicks",
    ],
    "lists that grow": [
        "results = []\nfailures = {}",
        "def square(n):\n    return n * n",
        "for n in range(5):\n    results.append(square(n))",
        "for n in [7, 'x', 9]:\n    try:\n        results.append(square(n))\n    except TypeError as e:\n        failures[n] = str(e)",
        "total = sum(results)\nprint(total, failures)",
        "results.sort(reverse=True)\nlargest = results[0]",
    ],
    "helpers over the notebook": [
        "import pandas as pd",
        "PATH = 'shop.csv'\nTHRESHOLD = 3",
        "def load():\n    return pd.read_csv(PATH)\n\ndef expensive(frame):\n    return frame[frame.price > THRESHOLD]",
        "sales = load()",
        "top = expensive(sales)\nlen(top)",
        "THRESHOLD = 5",
        "few = expensive(sales)\nlen(few)",
        "ratio = len(few) / len(top)",
    ],
    "files between cells": [
        "import json\nimport os\nimport pandas as pd",
        "os.makedirs('out', exist_ok=True)",
        "sales = pd.read_csv('shop.csv').dropna()\nsales.to_csv('out/clean.csv', index=False)",
        "again = pd.read_csv('out/clean.csv')\nshape = again.shape\nshape",
        "with open('out/facts.json', 'w') as f:\n    json.dump({'rows': len(again)}, f)",
        "with open('out/facts.json') as f:\n    facts = json.load(f)\nfacts",
    ],
    "classes and state": [
        "from dataclasses import dataclass, field\n\n@dataclass\nclass Basket:\n    items: list = field(default_factory=list)\n    def add(self, name, price):\n        self.items.append((name, price))\n        return self\n    def total(self):\n        return sum(price for _, price in self.items)",
        "basket = Basket()\nbasket.add('tea', 3)",
        "basket.add('milk', 2)\nbefore = basket.total()",
        "basket.add('bread', 4)\nafter = basket.total()\nprint(before, after)",
        "growth = after - before",
    ],
    "plots and loops": [
        "import matplotlib.pyplot as plt\nimport numpy as np\nplt.rcParams['figure.figsize'] = (4, 3)",
        "x = np.linspace(0, 1, 50)",
        "fig, ax = plt.subplots()\nfor k in (1, 2, 3):\n    ax.plot(x, x ** k)\nax.set_title('powers')",
        "fig, ax = plt.subplots()\nax.hist(np.sin(x))\npeak = np.sin(x).max()",
        "areas = {}\nfor k in (1, 2, 3):\n    areas[k] = round(float((x ** k).mean()), 6)\nareas",
        "print(k, areas[k])",
    ],
    "what nobody can follow": [
        "import pandas as pd",
        "sales = pd.read_csv('shop.csv')",
        "exec('hidden = len(sales)')",
        "doubled = hidden * 2\ndoubled",
        "_ + 1",
        "mean = sales.price.mean()",
        "!echo done",
        "del sales",
    ],
    "text and counting": [
        "import re\nfrom collections import Counter",
        'text = """The cat sat on the mat.\n    The mat was flat."""',
        "words = re.findall(r'\\w+', text.lower())\nwords[:3]",
        "counts = Counter(words)\ncounts.most_common(2)",
        "counts.update(['cat', 'dog'])\nvocabulary = sorted(counts)",
        "longest = max(vocabulary, key=len)\nlongest",
        "counter = 0\nfor w in words:\n    if w in ('the', 'mat'):\n        counter += 1\ncounter",
        "counter += 10",
    ],
    "arrays and views": [
        "import numpy as np",
        "grid = np.zeros((4, 4))",
        "row = grid[1]",
        "row[:] = 5",
        "grid[2, 2] = 9\nassert grid[1, 0] == 5",
        "total = grid.sum()",
        "other = grid.copy()\nother *= 2",
        "doubled = other.sum()",
    ],
    "conditions and reruns": [
        "import pandas as pd\nDEBUG = False",
        "frame = pd.read_csv('shop.csv')\nif DEBUG:\n    frame = frame.head(5)",
        "size = len(frame)",
        "if size > 50:\n    label = 'large'\nelse:\n    label = 'small'",
        "n = 10\nvalues = [i * n for i in range(3)]",
        "n = 20\nmore = [i * n for i in range(3)]",
        "summary = f'{label}: {values} {more} {n}'\nsummary",
    ],
    "records in a loop": [
        "records = [{'n': n} for n in range(4)]",
        "before = [dict(r) for r in records]",
        "for i, r in enumerate(records):\n    r['square'] = i ** 2",
        "squares = [r['square'] for r in records]",
        "hits = 0\ndef hit():\n    global hits\n    hits += 1",
        "for r in records:\n    if r['square'] > 1:\n        hit()",
        "share = hits / len(records)",
    ],
    "a lambda that waits": [
        "scale = 2",
        "transform = lambda v: v * scale",
        "first = [transform(v) for v in (1, 2, 3)]",
        "scale = 10",
        "second = [transform(v) for v in (1, 2, 3)]",
        "print(first, second)",
    ],
}
