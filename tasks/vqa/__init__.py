"""Open questions about images, short answers: VQAv2, easy-VQA and their relatives."""
