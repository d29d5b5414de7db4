"""One process per role: how they are started, watched, deprived of privilege, and how sockets pass."""
