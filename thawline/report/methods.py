"""Describe how the report's numbers were computed."""

from thawline.evaluation.results import Results
from thawline.plots.quantities import UNKNOWN, megabytes


def sentences(results: Results, bootstrap_samples: int, calibration_bins: int) -> str:
    """Format the description as a Markdown list."""
    row = results.of(results.final)
    libraries = megabytes(row.get("runtime_memory_mb"))
    return f"""\
- Every score is computed on the test images, which no training, selection or tuning has used.
- The interval is a percentile bootstrap over test images, {bootstrap_samples:,} resamples. It
  covers the choice of test images, not the chance in training.
- Rare recall is the mean recall of the third of the classes with the fewest training images.
- The temperature is fitted on validation images; the scores after it are those of the test images
  at that temperature, which changes no prediction.
- NLL is the mean negative log-likelihood of the true class, in nats. ECE is the expected
  calibration error with {calibration_bins} bins of equal width (Guo et al., 2017).
- Time runs from pixels in memory to probabilities in memory, on random images, after warm-up,
  while no other measurement runs on the machine: latency is the median (and 95th percentile) of
  {row.get("repeats", UNKNOWN)} single images,
  throughput the median over batches of {row.get("batch_size", UNKNOWN)}.
- Training checkpoints run in PyTorch, `.onnx` files in ONNX Runtime.
- MACs are multiply-accumulate operations of one image, parameters the weights of the network, size
  the bytes on disk (1 MB = 1,000,000 bytes).
- Memory is the peak resident memory of a fresh process that only loads and runs the network,
  libraries included; for {results.final} those alone take {libraries}."""
