"""GenEval: whether generated images show the objects, counts, colours and positions that prompts ask for."""
