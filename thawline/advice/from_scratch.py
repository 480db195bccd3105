"""Training without pretrained weights on small images: values for both training stages.

docs/from_scratch.md says where they come from; docs/from_scratch.txt holds the same for
`dvc exp run -S`, and a test compares the two.
"""

from typing import Any

TRANSFER_LEARN: dict[str, Any] = {
    "trainable": "all",
    "epochs": 60,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "warmup_ratio": 0.1,
    "label_smoothing": 0.1,
    "patience": 20,
}
FINE_TUNE: dict[str, Any] = {
    "trainable": "all",
    "epochs": 20,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "warmup_ratio": 0.1,
}
RULE = "from scratch: Adam over the whole network until it works, then SGD to finish"
FIGURE = "model.weights: none"
