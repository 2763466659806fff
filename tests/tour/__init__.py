"""A tour of the operator's pages: each act clicked in Chromium on a real installation, and the books read."""
