"""Model adapters in another Python: a research repository runs in its own environment, evalsuite in its own.

`child` is the other side: one file of the standard library (Python 3.8 or newer), shipped to the interpreter
when it starts, which loads an adapter file and answers frames over a pipe. `frames` is the wire format,
`host` the process and its conversation, `adapter` the model that the engine sees. docs/isolated.md shows an
adapter.
"""
