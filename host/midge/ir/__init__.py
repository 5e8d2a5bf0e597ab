"""The graph: the one type that the stages before `select` pass on."""
