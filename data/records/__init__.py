"""Records of other tools: one module per format, behind a registry.

A format reads its files one record after another and yields outcomes or battles; what they mean,
and what is rejected for which reason, is decided where every table is: `data.ingest`.
"""
