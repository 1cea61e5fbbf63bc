"""The VetChat server: a service to mount, and the parts it is put together from.

```python
service = Service(TortoiseStore("sqlite:////var/lib/vetchat/chat.sqlite3"), JwtAuthenticator([secret_key(SECRET)]))
app = Litestar(route_handlers=[…], plugins=[VetChatPlugin(service)])
```
"""

from .app import VetChatPlugin, create_app
from .backends.jwt import JwtAuthenticator, public_keys, secret_key
from .backends.memory import MemoryStore
from .backends.open import OpenAuthenticator
from .backends.tortoise import TortoiseStore
from .environment import Limits
from .ports import Authenticator, ConversationPolicy, Credentials, Store
from .service import Service
from .upgrade import Origins

__all__ = [
    "Authenticator",
    "ConversationPolicy",
    "Credentials",
    "JwtAuthenticator",
    "Limits",
    "MemoryStore",
    "OpenAuthenticator",
    "Origins",
    "Service",
    "Store",
    "TortoiseStore",
    "VetChatPlugin",
    "create_app",
    "public_keys",
    "secret_key",
]
