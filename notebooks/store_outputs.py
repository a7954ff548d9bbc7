"""Run a tutorial, and keep its outputs in it: python notebooks/store_outputs.py notebooks/01_quickstart.ipynb

The outputs are those of a real run. What changes from run to run is left out, and pictures are stored
with 128 colours, so that a tutorial stays small and a change of it can be read.
"""

import io
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from PIL import Image

PNG = re.compile(r'(?<=src="data:image/png;base64,)[^"]+')


def main(tutorial: Path) -> None:
    shutil.rmtree(tutorial.parent / ".graflow_nb", ignore_errors=True)  # the story begins with nothing kept
    with TemporaryDirectory() as folder:
        ran = Path(folder, tutorial.name)
        run = [sys.executable, "-m", "graflow_nb.cli", "run", str(tutorial), "--all", "--output", str(ran)]
        subprocess.run(run, check=True)
        notebook = nbformat.read(ran, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            shrink(output.get("data", {}))
    nbformat.write(notebook, tutorial)
    print(f"{tutorial}: {tutorial.stat().st_size // 1000} kB")


def shrink(data: dict) -> None:
    if "image/png" in data:
        data["image/png"] = smaller(data["image/png"])
    if "text/html" in data:
        data["text/html"] = PNG.sub(lambda match: smaller(match[0]), data["text/html"])


def smaller(png: str) -> str:
    file = io.BytesIO()
    picture = Image.open(io.BytesIO(b64decode(png))).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(file, "PNG", optimize=True)
    return b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
