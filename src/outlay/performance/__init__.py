"""What a system does on a workload: counts, times, memory, search, and how well it is predicted."""
