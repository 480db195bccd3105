"""Compute figures for the report from DVC's outputs and this evaluation, at no cost."""

from collections.abc import Mapping
from pathlib import Path

from thawline.advice import recorded
from thawline.advice.facts import Cost, Facts
from thawline.advice.proposing import propose
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.evaluation.results import Results
from thawline.features.layer_profile import Profile
from thawline.models import device, precision
from thawline.models import network as networks
from thawline.params.proposal import Proposal
from thawline.params.schema.whole import Params
from thawline.training.freeze_decision import FreezeDecision


def proposals(
    params: Params,
    manifest: Manifest,
    store: ImageStore,
    results: Results,
    training: Mapping[str, Path],
) -> list[Proposal]:
    """Propose what the guide would try next, without what only `thawline advise` measures.

    Of the networks it knows the cost of the one that was trained; how good the features of each
    block are only where `trainable: auto` has measured it.

    Args:
        params: the parameters.
        manifest: the data set.
        store: the packed images.
        results: results of all checkpoints.
        training: the reports of each training stage, by its name.
    """
    row, m = results.of(results.final), params.model
    cost = Cost(parameters=row["parameters"], macs=row["macs"], size_mb=row["size_mb"])
    found = Facts(
        params=params,
        counts=manifest.counts("train"),
        image_size_px=store.image_size_px,
        side_px=recorded.side_px(manifest),
        colour=recorded.colour(store, manifest.rows("train")),
        profile=_profile(training),
        costs={m.name: cost},
        pretrained_px=networks.describe(m.family, m.name).image_size_px,
        val_accuracy=recorded.val_accuracy(training["fine_tune"]),
        latency_ms=row.get("latency_ms"),
        timed_on=str(results.device.get("name", "")),
        gained=recorded.gained(training["fine_tune"]),
        num_test=len(manifest.rows("test")),
        quick_bfloat16=precision.has_quick_bfloat16(device.select(params.training.device)),
    )
    return propose(found)


def _profile(training: Mapping[str, Path]) -> Profile | None:
    """Read the profile that `auto` measured of the pretrained network on training rows."""
    profile = FreezeDecision.read(training["transfer_learn"]).profile
    return profile if profile.scores else None
