"""On a pretended GPU: what would fail on a real one, and what makes the host wait."""
