"""Writes the reference pages from the code, so that they cannot say anything else.

``python -m docs.generate`` writes them, ``--check`` only says which are out of date, ``--bench FILE``
puts the table of a benchmark run into the performance page.
"""
