"""CPU, memory, disk and network of the machine while a stage runs, through mlflow's own monitor."""

import os
import sys

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from thawline.tracking.store import Store

_INTERVAL_S = 2.0


class SystemMetrics:
    """Samples every two seconds in a thread, as metrics `system/...`; never fails a stage."""

    def __init__(self, store: Store, run_id: str) -> None:
        os.environ.setdefault("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", str(_INTERVAL_S))
        self._monitor = SystemMetricsMonitor(run_id, tracking_uri=store.uri)
        self._monitor.start()

    def finish(self) -> None:
        """Stop, and keep what was sampled since the last interval: all that short stages have."""
        try:
            self._monitor.finish()
            self._monitor.collect_metrics()
            self._monitor.publish_metrics(self._monitor.aggregate_metrics())
            self._monitor.mlflow_logger.flush()
        except Exception as error:
            print(f"system metrics: {error!r}", file=sys.stderr, flush=True)
