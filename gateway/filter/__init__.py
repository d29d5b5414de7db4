"""The packet filter: frame → key → connection → verdict."""
