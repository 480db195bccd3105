"""Fit scikit-learn's logistic regression to standardised features of the frozen network.

The pooled output of the last block, each image stretched to the size; C as it comes, 1.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks.own_images import in_torch as reading
from benchmarks.own_images.contest import Clock, main
from benchmarks.peers import in_torch
from benchmarks.peers.task import Task

_STEPS = 2000


def race(task: Task, clock: Clock) -> np.ndarray:
    """Fit it untuned, and name the class of each test image."""
    return fitted(task, clock, LogisticRegression(max_iter=_STEPS))


def race_tuned(task: Task, clock: Clock) -> np.ndarray:
    """Fit it with C chosen by cross-validation, and name the class of each test image."""
    chosen = LogisticRegressionCV(
        max_iter=_STEPS,
        scoring="accuracy",
        n_jobs=task.threads,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )
    return fitted(task, clock, chosen)


def fitted(
    task: Task, clock: Clock, estimator: LogisticRegression | LogisticRegressionCV
) -> np.ndarray:
    """Fit an estimator on the features of the training images."""
    reading.prepare(task)
    network = in_torch.trunk(task).to(memory_format=torch.channels_last)
    labels = np.array([label for _, label in task.files("train")], np.int64)
    model = make_pipeline(StandardScaler(), estimator)
    model.fit(_features(network, reading.whole_loader(task, "train")), labels)
    with clock.paused():
        features = _features(network, reading.whole_loader(task, "test"))
        predicted: np.ndarray = model.predict(features)
    clock.point(predicted)
    return predicted


def _features(network: nn.Module, loader: in_torch.Loader) -> np.ndarray:
    network.eval()
    with torch.inference_mode():
        found = [network(images.to(memory_format=torch.channels_last)) for images, _ in loader]
    return torch.cat(found).numpy()


if __name__ == "__main__":
    main(__doc__, race)
