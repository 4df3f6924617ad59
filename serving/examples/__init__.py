"""Small files to copy into other programs; nothing here is imported by the service."""
