"""Requests executed on upstreams, where some are configured."""
