"""The suite that every store must pass, also one that you write yourself. It needs pytest and anyio.

```python
from vetchat_server.testing import StoreContract


class TestMyStore(StoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        return lambda: MyStore(tmp_path / "chat")
```

Each test names the clauses that it proves by the mark `clause`: declare it in your pytest configuration.
"""

import pytest

PARTS = ("commits", "conversations", "drafts", "recount", "resuming", "retries", "storms", "users")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in PARTS))  # a failed assert says what it compared

from .commits import CommitContract  # noqa: E402
from .conversations import ConversationContract  # noqa: E402
from .resuming import ResumeContract  # noqa: E402
from .retries import RetryContract  # noqa: E402
from .storms import StormContract  # noqa: E402
from .suite import NewStore  # noqa: E402
from .users import UserContract  # noqa: E402

__all__ = ["NewStore", "StoreContract"]


class StoreContract(CommitContract, RetryContract, ConversationContract, ResumeContract, UserContract, StormContract):
    """Every promise of `vetchat_server.ports.Store`, as tests.

    A subclass named `Test…` provides one fixture, `new_store`: a function that makes a store which is not open yet,
    over the same data whenever it is called within one test. The data need not be empty at first.
    """
