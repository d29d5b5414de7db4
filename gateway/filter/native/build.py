"""The C core as an extension module: what is compiled, and how. setuptools and the tests read this.

One module for all of it (`gateway.filter._native`, cffi's API mode, the stable ABI): the parts are headers
that inline into each other. Each `.cdef` file declares what Python may call of the part of the same name.
With MASUGATA_SANITIZE=1 it is built with AddressSanitizer and UndefinedBehaviorSanitizer, for tests.
"""

import os
import platform
from pathlib import Path

from cffi import FFI

MODULE = "gateway.filter._native"
PARTS = ("core", "parse", "classify", "track", "engine")
FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]

# Warnings are no errors here: a newer compiler at a user's must not break what works. Tests use -Werror.
FLAGS = ["-std=gnu11", "-O3", "-fvisibility=hidden", "-fno-plt", "-Wall", "-Wextra"]
SANITIZE = [
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
]


def declarations() -> str:
    """Return what Python may call."""
    return "\n".join((FOLDER / f"{part}.cdef").read_text() for part in PARTS)


def sources() -> list[str]:
    """Return the C files to compile, as setuptools wants them: relative to the project."""
    return sorted(str(path.relative_to(ROOT)) for path in FOLDER.glob("*.c") if path.name != "xdp.c")


def headers() -> list[str]:
    """Return what a change of makes compiling necessary."""
    return sorted(str(path.relative_to(ROOT)) for path in (*FOLDER.glob("*.h"), *FOLDER.glob("*.cdef")))


def builder() -> FFI:
    """Return the cffi builder of the module."""
    sanitize = SANITIZE if os.environ.get("MASUGATA_SANITIZE") else []
    ffi = FFI()
    ffi.cdef(declarations())
    ffi.set_source(
        MODULE,
        '#include "classify_build.h"\n#include "engine.h"\n',
        sources=sources(),
        depends=headers(),
        include_dirs=[str(FOLDER.relative_to(ROOT))],
        extra_compile_args=[*FLAGS, *sanitize],
        extra_link_args=sanitize,
        py_limited_api=True,
    )
    return ffi


if platform.system() != "Linux":
    raise SystemExit("masugata runs on Linux: it needs its network namespaces and nftables.")
ffibuilder = builder()
