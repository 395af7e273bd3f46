"""Questions with options asked once, in their own order: ScienceQA, SEED-Bench, MMMU."""
