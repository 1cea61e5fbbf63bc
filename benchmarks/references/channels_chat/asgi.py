"""The ASGI application."""

# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from channels.routing import ProtocolTypeRouter, URLRouter
from chat.consumers import ChatConsumer
from django.urls import path

application = ProtocolTypeRouter({"websocket": URLRouter([path("ws/", ChatConsumer.as_asgi())])})
