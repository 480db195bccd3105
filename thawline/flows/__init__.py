"""The pipeline under Prefect: run, retrained, on a schedule. Imports nothing by itself."""
