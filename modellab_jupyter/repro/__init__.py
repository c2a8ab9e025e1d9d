"""Runs that leave as ZIPs which rebuild, run again, compare, and say why not."""
