"""Bodies, many in one row: requests and answers lie in groups, each compressed as a whole.

An item's row names its group and its place there. A body that differs from what lies there, or that came alone, is a
text in the item's own row, and that goes before the group.
"""
