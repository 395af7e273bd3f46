"""One box for one expression: RefCOCO, RefCOCO+, RefCOCOg."""
