"""The package is typed to the last symbol, for whoever checks a program against it."""

import os
import subprocess
import sys
from pathlib import Path


def test_every_public_symbol_has_a_known_type() -> None:
    folder = Path(sys.executable).parent
    done = subprocess.run(
        [folder / "pyright", "--verifytypes", "vetchat_client", "--ignoreexternal"],
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Type completeness score: 100%" in done.stdout, done.stdout + done.stderr
