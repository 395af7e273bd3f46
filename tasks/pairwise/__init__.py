"""A judge scores the model's answer and a reference answer side by side: LLaVA-Bench."""
