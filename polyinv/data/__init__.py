"""From tables to scaled tensors: reading and writing workbooks, feature sets, splits, scalings, the DataModule."""
