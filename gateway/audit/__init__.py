"""The audit log: one canonical, hash-chained JSON line per decision."""
