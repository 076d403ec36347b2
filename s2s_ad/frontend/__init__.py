"""From a Python function to a small, regular syntax tree.

Enters: a function object.  Leaves: a verified `FunctionSource` (`source.py`) and a tree of few forms (`normalise.py`).
"""
