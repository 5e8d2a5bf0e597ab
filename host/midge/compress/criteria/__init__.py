"""How much each weight matters: one module per criterion, found by its name.

`scores(graph, weights, material) -> {tensor name: float64 of the weights' shape}`, zero or more, of which those of
weights that go together are added up. `COMPARABLE` says whether scores of different layers are in one currency; those
that are not are taken as shares of what their layer has. `NEEDS_DATA` and `ROUNDS`, at least so many times weights are
judged anew, are of the criterion too.
"""
