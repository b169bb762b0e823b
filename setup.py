"""What setup.cfg cannot say: the compiled part, which is optional.

Without a C compiler the same is done in plain Python, slower; `realtime-server doctor` says which it is.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "realtime_server.transport._outlets",
            ["realtime_server/transport/_outlets.c"],
            extra_compile_args=["-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
            optional=True,
        )
    ]
)
