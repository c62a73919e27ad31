"""Tells a plan: in the terminal, as JSON, as one page, as a workbook."""
