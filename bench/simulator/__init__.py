"""The scheduler in virtual time: arrival traces, instances that only take time, and policies to compare."""
