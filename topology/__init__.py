"""Labs: a pure plan of segments, hosts and links, and drivers that run it."""
