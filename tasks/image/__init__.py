"""Drawing from text: MS-COCO zero-shot and its relatives."""
