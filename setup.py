"""The one thing that pyproject.toml cannot say: compile native/ through cffi."""

from setuptools import setup

setup(cffi_modules=["native/build.py:ffibuilder"])
