"""Subject-driven generation: DreamBench and its form on the miniature world."""
