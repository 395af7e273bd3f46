"""What a model generates comes back to it: UniEval, RealUnify, the miniature's own images."""
