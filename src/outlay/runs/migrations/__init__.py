"""From one version of the run store's tables to the next."""
