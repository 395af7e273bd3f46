"""Writers of the miniature world in the official file formats, one module per format."""
