"""The chat as a user of Django Channels would write it: makes its tables, then serves with uvicorn."""

# pyright: basic, reportMissingImports=false

import os
import sys

import django
import uvicorn
from django.core.management import call_command


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    os.environ["DATABASE"] = sys.argv[2]
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    uvicorn.run(
        "asgi:application",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        log_level="warning",
    )


if __name__ == "__main__":
    main()
