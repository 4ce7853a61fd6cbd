"""What runs on an agent: the operator of every generated task, and what an agent does around its tasks."""
