"""What runs in the containers of the load test in AWS; `python -m loadtest.task` is the command (`__main__`)."""
