"""Images graded by a judge along the rubrics of their benchmark: WISE, RISEBench, OmniContext."""
