"""Multiple choice, with rotated options (CircularEval): MMBench and related benchmarks."""
