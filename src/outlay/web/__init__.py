"""The page and the HTTP API: they place what the other rooms work out."""
