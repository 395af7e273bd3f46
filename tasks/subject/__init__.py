"""Subject-driven drawing: DreamBench and its form on the miniature world."""
