"""The core in C (`gateway/filter/native/*.cdef` declare what is in it), as cffi gives it to Python."""

from typing import Any

ffi: Any
lib: Any
