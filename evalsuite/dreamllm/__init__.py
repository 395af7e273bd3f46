"""The DreamLLM model: configuration, model, files, text and image generation, training.

Nothing is imported here: `from evalsuite.dreamllm.modeling import DreamLLMForCausalLM` and so on.
"""
