"""The networks of docs/compression.md: what they are called, how long they are trained, and whose limits must hold."""

from __future__ import annotations

from compression_rows import Effort

TITLES = {
    "mnist": "MNIST, the project's CNN",
    "har": "Movements, the project's small net",
    "kws": "Keywords, DS-CNN of MLPerf Tiny",
}
EFFORTS = {
    "mnist": Effort(3, 1, levers=True),
    "har": Effort(5, 12, int4_rate=3e-4),
    "kws": Effort(24, 12, all_rows=False),
}
# The keywords, with 100 clips to train on, are shown for what they are.
BINDING = ("mnist", "har")
# The four classic levers, on one network.
LEVERS = ("float", "int8", "filters-50", "distilled", "together")
LEVERS_NET = "mnist"
# Where costs are measured.
BOARD = "nucleo_l4r5zi"
# So many samples of each network are also run by the interpreter, which must give the same class.
CHECKED = 20
