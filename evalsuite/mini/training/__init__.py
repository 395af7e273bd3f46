"""Training of the miniature: stage-0 parts, then DreamLLM stages I to III and its ablations, from one
recipe file."""
