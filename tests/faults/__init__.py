"""The fault campaign: whatever breaks, nothing is lost, nothing is wrong without a word, nothing crashes."""
