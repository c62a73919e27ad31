"""The HTTP API, one router a noun; every error is ``{"error": message}``."""
