"""What the command line does, as functions for notebooks and scripts; `evalsuite` offers them as its own.

They return typed objects or pandas frames and never print; the commands call the same functions. Light to
import: a function imports what it needs when it is called.
"""
