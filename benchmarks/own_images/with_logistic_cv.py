"""Fit logistic regression as with_logistic.py does, with C chosen by cross-validation."""

from benchmarks.own_images.contest import main
from benchmarks.own_images.with_logistic import race_tuned

if __name__ == "__main__":
    main(__doc__, race_tuned)
