"""Multiple choice, with rotated options (CircularEval): MMBench and its relatives."""
