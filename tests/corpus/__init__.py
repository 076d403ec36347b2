"""Small programs over the whole language, written as people write numerical Python."""
