"""What setup.cfg cannot say: the compiled parts, which are optional.

Without a C compiler the same is done in plain Python, slower; `realtime-server doctor` says which it is.
"""

import sys

from setuptools import Extension, setup


def compiled(name: str) -> Extension:
    flags = ["-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers"]
    return Extension(name, [name.replace(".", "/") + ".c"], extra_compile_args=flags, optional=True)


extensions = [compiled("realtime_server.transport._outlets")]
if "bdist_wheel" not in sys.argv:  # the load tests are in no wheel
    extensions.append(compiled("loadtest._reading"))

setup(ext_modules=extensions)
