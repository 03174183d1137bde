"""The real service and policy over a virtual clock, with virtual citizens and limited lines."""
