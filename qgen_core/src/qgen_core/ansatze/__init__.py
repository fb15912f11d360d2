"""Ansatze: functions of the number of wires that return a circuit, one a file."""
