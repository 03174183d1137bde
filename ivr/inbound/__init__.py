"""The numbers that citizens call: 110, where a person answers first, and the callback number."""
