"""Runs in MLflow: one parent per execution of the pipeline, one nested run per stage that ran.

The stage's own process uses `client` alone, which imports nothing heavy; `shipper` is the process
beside it that talks to MLflow. Nothing here changes an output of a stage.
"""
