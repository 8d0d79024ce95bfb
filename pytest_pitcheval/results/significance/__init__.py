"""What scores establish: intervals, p-values, power, and one error rate for many decisions. Pure numbers."""
