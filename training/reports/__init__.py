"""Pages, tables and charts of what was measured."""
