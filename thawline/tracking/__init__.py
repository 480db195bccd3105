"""Runs in MLflow: one parent per execution of the pipeline, one nested run per stage that ran.

The stage's own process uses `client` alone, which imports nothing heavy and writes a `journal`;
`apply` is the process beside it that brings that to MLflow. Nothing here changes an output.
"""
