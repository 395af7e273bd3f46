"""evalsuite: measure models that understand and create images and text, exactly and without losing work."""

__version__ = "0.1.0"
