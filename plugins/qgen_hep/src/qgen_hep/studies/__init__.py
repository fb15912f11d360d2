"""Studies: published results reproduced, ours beside theirs."""
