"""The extension module beside what pyproject.toml says: setuptools asks for compiled parts here.

With MASUGATA_REQUIRE_NATIVE=1, no compiler, or C that does not compile, fails the installation. Otherwise it
goes on without, and `--engine native` says that it is not there.
"""

import os

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext


class OptionalNative(build_ext):
    """Compile the core if this machine can."""

    def finalize_options(self) -> None:
        super().finalize_options()
        for extension in self.extensions:
            extension.optional = not os.environ.get("MASUGATA_REQUIRE_NATIVE")


class StableWheel(bdist_wheel):
    """One wheel for every Python from 3.11 on: the module keeps to the stable ABI."""

    def finalize_options(self) -> None:
        self.py_limited_api = "cp311"
        super().finalize_options()


setup(
    cffi_modules=["gateway/filter/native/build.py:ffibuilder"],
    cmdclass={"build_ext": OptionalNative, "bdist_wheel": StableWheel},
)
