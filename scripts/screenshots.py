"""Make the pictures of the README from real runs: `make screenshots`. Needs Chromium for the report and the page.

Trains a small sweep on the embedded data in a temporary folder, then draws what `mhc list` and `mhc compare` print on
a terminal of 100 columns, the file of `mhc report`, and the page of `mhc serve` while a run is trained.
"""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
COLUMNS, LINES = 100, 40
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SWEEP = ("--multirun", "model=micro", "model.optimizer.lr=0.001,0.003", "seed=1,2", "model.epochs=6", "name=rates")


def main() -> None:
    """Train, and write the pictures to docs/images/."""
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="mhc-screenshots-") as folder:
        place = Path(folder)
        train(place, *SWEEP, "category=baseline", "auto_archive=false")
        train(place, "model=linear")
        for name, words in {"list": ["list"], "compare": ["compare", "--where", "name = rates"]}.items():
            draw(terminal_output(place, words), f"mhc {' '.join(words)}", IMAGES / f"{name}.svg")
        mhc(place, "report", "--all", "-o", "report.html")
        photograph((place / "report.html").as_uri(), IMAGES / "report.png", height=1300)
        photograph_server(place, IMAGES / "serve.png")


def train(place: Path, *words: str) -> None:
    """Train in `place`."""
    command = [sys.executable, "-m", "mhc.train", *words, "trainer=cpu", "report=false"]
    subprocess.run(command, cwd=place, env=environment(), check=True)


def mhc(place: Path, *words: str) -> None:
    """Run a command of `mhc` in `place`."""
    subprocess.run([sys.executable, "-m", "mhc.cli.main", *words], cwd=place, env=environment(), check=True)


def environment() -> dict[str, str]:
    """Return the environment of a child: this checkout, a terminal with colours, no pager."""
    return os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "PAGER": ""}


def terminal_output(place: Path, words: list[str]) -> str:
    """Return what a command prints on a terminal, with its escapes."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "mhc.cli.main", *words]
    child = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=place, env=environment())
    os.close(terminal)
    content = b""
    while chunk := read(controller):
        content += chunk
    if child.wait():
        sys.exit(f"{' '.join(command)} failed:\n{content.decode()}")
    return content.decode().replace("\r\n", "\n")


def read(controller: int) -> bytes:
    """Return the next output of a terminal; nothing if it is closed, which Linux reports as an error."""
    try:
        return os.read(controller, 1 << 16)
    except OSError:
        return b""


def draw(output: str, title: str, file: Path) -> None:
    """Write the output of a command as a picture of a terminal."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(output))
    file.write_text(console.export_svg(title=title) + "\n")


def photograph_server(place: Path, file: Path) -> None:
    """Write a picture of the page of `mhc serve` while a run is trained."""
    words = ("-m", "mhc.train", "model=micro", "model.epochs=30", "name=running", "trainer=cpu", "report=false")
    training = subprocess.Popen([sys.executable, *words], cwd=place, env=environment(), stdout=subprocess.DEVNULL)
    serve = [sys.executable, "-m", "mhc.cli.main", "serve", "--port", "0"]
    server = subprocess.Popen(serve, cwd=place, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().rpartition(" at ")[2].strip()
        while not any("epoch 3/" in log.read_text() for log in place.glob("outputs/running_*/train.log")):
            if training.poll() is not None:
                sys.exit("The training has ended before its third epoch")
            time.sleep(0.5)
        photograph(address, file, height=900)
    finally:
        for process in (server, training):
            process.terminate()
            process.wait()


def photograph(address: str, file: Path, height: int) -> None:
    """Write a picture of the first screen of a page.

    Raises:
        SystemExit: if there is no Chromium.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"There is no Chromium ({', '.join(BROWSERS)}), so {file.name} was not made. Install it and try again")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size=1440,{height}"]
    subprocess.run([browser, *options, f"--screenshot={file}", address], check=True, capture_output=True)


if __name__ == "__main__":
    main()
