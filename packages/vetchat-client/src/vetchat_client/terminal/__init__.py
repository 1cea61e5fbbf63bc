"""A chat in the terminal: what `vetchat chat` shows. The modules in here need the extra `terminal`."""
