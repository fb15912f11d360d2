"""Networks: functions from numbers of inputs and outputs to a torch module."""
