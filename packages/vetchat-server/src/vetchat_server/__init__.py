"""The VetChat server: a service to mount, and the parts it is put together from."""
