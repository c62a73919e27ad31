"""The page and the HTTP API, thin: they show what the run store keeps and queue what its workers do."""
