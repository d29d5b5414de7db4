"""The C core: its sources, and how they are built."""
