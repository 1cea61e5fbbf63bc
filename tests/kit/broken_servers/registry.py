"""Where each broken server says which clause it breaks."""

from collections.abc import Callable
from typing import Final

from tests.kit.reference import ReferenceServer

BROKEN: Final[dict[str, type[ReferenceServer]]] = {}
"""Each broken server under the clause it breaks and what is wrong with it: `"R2.3 lets anybody write as anybody"`."""


def breaks(clause: str) -> Callable[[type[ReferenceServer]], type[ReferenceServer]]:
    """Registers a broken server; its name says what is wrong."""

    def register(server: type[ReferenceServer]) -> type[ReferenceServer]:
        words = "".join(f" {one.lower()}" if one.isupper() else one for one in server.__name__)
        BROKEN[f"{clause}{words}"] = server
        return server

    return register
