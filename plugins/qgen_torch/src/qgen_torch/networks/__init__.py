"""Networks: functions of the numbers of inputs and outputs that return a torch module."""
