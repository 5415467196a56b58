"""The colours of charts and contact sheets."""

from __future__ import annotations

#: The colour-blind safe palette of Okabe and Ito.
LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
PAPER, INK, GRID = "#ffffff", "#333333", "#e6e6e6"
#: Words of less weight; at 4.5 to 1 they still stand out from the paper.
DIMMED = "#767676"
#: What was chosen, the others, and those that count less.
CHOSEN, OTHER, FAINT = LINE_COLOURS[1], "#7f9db0", "#c3ccd2"
