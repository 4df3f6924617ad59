"""Measure routers: frontiers, savings, calibration, intervals and the report that shows them."""
