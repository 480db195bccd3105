"""Run the pipeline under Prefect: once, to retrain, on a schedule. Imports nothing by itself."""
