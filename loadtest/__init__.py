"""Load tests and benchmarks: ``python -m loadtest`` (docs/performance.md).

`scenarios` says what people do, `worker` does it from several processes (`client`, `sending`, `recorder`), `target`
is what is loaded, `controller` runs both and verifies, `report` and `checks` say what came out.
"""
