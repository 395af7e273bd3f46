"""GenEval: whether drawn pictures show the objects, counts, colours and positions that prompts ask for."""
