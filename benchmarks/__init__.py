"""`make bench`: Holdfast and JavaScript measured side by side on this machine."""
