"""Yes-or-no questions: POPE."""
