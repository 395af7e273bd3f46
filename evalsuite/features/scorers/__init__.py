"""Networks that score an image with its text: preference (HPSv2, HPSv3, PickScore, ImageReward), aesthetics,
alignment (VQAScore, BLIP-VQA).

Each module holds one network as it was published; `converting` turns published weight files into folders.
"""
