"""Drawing from text: MS-COCO zero-shot and its relatives, distances between distributions and likeness to the text."""
