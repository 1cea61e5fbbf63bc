"""The packages are typed to the last symbol, for whoever checks a program against them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("package", ["vetchat_client", "vetchat_protocol", "vetchat_conformance"])
def test_every_public_symbol_has_a_known_type(package: str) -> None:
    """But for what pydantic and typeshed leave open themselves: to them every `BaseModel` is partially unknown."""
    folder = Path(sys.executable).parent
    done = subprocess.run(
        [folder / "pyright", "--verifytypes", package, "--ignoreexternal"],
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Type completeness score: 100%" in done.stdout, done.stdout + done.stderr
