"""Model adapters for everything that is not DreamLLM."""
