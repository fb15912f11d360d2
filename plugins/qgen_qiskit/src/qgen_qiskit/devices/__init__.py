"""The noise of IBM devices as a map from circuits to noisy circuits."""
