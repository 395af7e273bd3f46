"""Text-image alignment by questions: DPG-Bench, DSG, TIFA, OneIG, GenEval 2, GenEval++, TIIF, UniGenBench."""
