"""Figures of a report, drawn by matplotlib without a display. Each is a function of values and a palette."""
