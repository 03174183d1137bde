"""`make lock`: resolves the dependencies, without download addresses, and exports what pip installs.

Versions and hashes are locked; where a file is fetched from is the installing machine's own setting.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "uv.lock"


def strip_addresses(lock: str) -> str:
    """File names instead of addresses; a source distribution keeps its hash alone."""
    lock = re.sub(r'sdist = \{ url = "[^"]*", ', "sdist = { ", lock)
    lock = re.sub(r'\{ url = "[^"]*/([^/"]+)",', r'{ filename = "\1",', lock)
    return re.sub(r'registry = "[^"]*"', 'registry = "."', lock)


def main() -> None:
    LOCK.unlink(missing_ok=True)  # a stripped lock can't be resolved again from
    subprocess.run(["uv", "lock"], cwd=ROOT, check=True)
    LOCK.write_text(strip_addresses(LOCK.read_text()))
    for name, extra in (("requirements.txt", []), ("requirements-dev.txt", ["--extra", "dev"])):
        command = ["uv", "export", "--frozen", "--no-emit-project", "--no-header", "--no-annotate", *extra]
        text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        (ROOT / "deploy" / name).write_text(text)
    if "://" in LOCK.read_text():
        sys.exit("uv.lock still holds an address")


if __name__ == "__main__":
    main()
